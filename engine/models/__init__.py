"""The neural networks: torch only, no I/O. Attribute names are the state-dict keys.

May import, of `engine`: `contract`.
"""
