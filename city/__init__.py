"""The vocabulary that every stage shares. Nothing here reads, writes or waits."""
