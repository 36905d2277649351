"""A simulated city that knows the truth, and gateways that play it, or recorded readings, into MQTT."""
