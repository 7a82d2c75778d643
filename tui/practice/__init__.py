"""A server on this computer with a practice dataset, for the demo.

May import, of `tui`: `state` and the layers below.
"""
