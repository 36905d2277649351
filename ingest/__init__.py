"""The door: from MQTT to the log, acknowledged after the append."""
