"""Detection: from readings to candidates, from candidates to alarms."""
