"""The city as it is now, held in memory: what map, list, search and the stream of changes are served from."""
