"""Everything the dashboard asks of the outside world, behind Protocols.

May import, of `tui`: `shell` and the layers below.
"""
