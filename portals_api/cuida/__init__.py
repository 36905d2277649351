"""Routes of Cuida: lamps, reports, tickets and the crews' list."""
