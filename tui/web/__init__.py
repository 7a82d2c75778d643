"""The dashboard in a browser of the same computer.

May import, of `tui`: `dashboard` and the layers below.
"""
