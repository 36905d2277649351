"""Detection over recorded or simulated readings, scored against labels of what was wrong."""
