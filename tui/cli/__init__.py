"""The `sovdeck` command line: its parser, its commands and what they print.

May import, of `tui`: `web` and the layers below.
"""
