"""Who may connect to the broker, and publish and read where: the table, its changes, and the brokers that obey it."""
