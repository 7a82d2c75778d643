"""The screens of the dashboard: each draws the store's state and posts commands.

May import, of `tui`: `widgets` and the layers below.
"""
