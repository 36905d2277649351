"""The brokers that are brought in line with the table of credentials."""
