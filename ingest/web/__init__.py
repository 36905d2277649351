"""The door for who has no MQTT: messages over HTTPS, with the same guarantees."""
