"""Supervised runs on a server: start, stop, state, live events.

May import, of `remote`: `ssh`, `embedded`, `notify` and the layers below.
"""
