"""The Monitor screen: losses, memory, progress and log of one run.

May import, of `tui.screens`: `dialogs` and the layers below.
"""
