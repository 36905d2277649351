"""A simulated city: its pack, its physics, its faults, and gateways that publish it through real MQTT clients."""
