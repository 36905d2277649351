"""Scores: how much of what is wrong is found, and how often a ticket is false; never an assertion."""
