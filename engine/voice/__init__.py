"""A finished voice: its selected weights, reference clip and pack.

May import, of `engine`: `training`, `speaking` and the layers below.
"""
