"""The app that a person starts: controller, command handlers, background tasks.

May import, of `tui`: `screens` and the layers below.
"""
