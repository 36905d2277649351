"""The desk: alarms and citizens' reports become tickets, one per incident."""
