"""Widgets of the screens: they draw what they are given and do no I/O.

May import, of `tui`: `services` and the layers below.
"""
