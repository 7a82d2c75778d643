"""Plays, records and measures sound on this computer.

May import nothing of `tui` from a layer above.
"""
