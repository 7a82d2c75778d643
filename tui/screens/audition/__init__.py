"""The Audition screen: compare checkpoints in a grid, by blind votes and by rank.

May import, of `tui.screens`: `dialogs` and the layers below.
"""
