"""The Train screen: parameters, the plan, the start of a run.

May import, of `tui.screens`: `dialogs` and the layers below.
"""
