"""Fleets of another maker: a generator that shares nothing with `sim`, on which no rule was tuned."""
