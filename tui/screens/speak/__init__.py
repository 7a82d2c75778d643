"""The Speak screen: type a text, choose weights and a reference, listen.

May import, of `tui.screens`: `dialogs` and the layers below.
"""
