"""Observa's domain: the city's figures."""
