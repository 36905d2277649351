"""Routes of Observa: readings, facilities and the ledger."""
