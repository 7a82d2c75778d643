"""Modal dialogs that ask one thing and close.

May import, of `tui.screens`: `base`.
"""
