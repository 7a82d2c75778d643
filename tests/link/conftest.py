"""Fixtures of the link room; see gatehouse.py."""

from gatehouse import house, mute_port

__all__ = ["house", "mute_port"]
