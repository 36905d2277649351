"""The event log, the worker loop, the store of readings and the checkpoints between them."""
