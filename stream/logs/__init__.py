"""The engines of the event log: PostgreSQL on one machine, Apache Kafka for a city."""
