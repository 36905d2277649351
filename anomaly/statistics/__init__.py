"""Statistics of each series that no rule names: online, in one pass, without look-ahead."""
