"""The Dataset screen: check a folder of recordings, correct transcripts, push it.

May import, of `tui.screens`: `dialogs` and the layers below.
"""
