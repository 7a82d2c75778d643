"""Supervised runs on a server: start, stop, state, live events."""
