"""Benchmarks: whole ways, measured here, beside a peer in the same run. Ratios and medians; never an assertion."""
