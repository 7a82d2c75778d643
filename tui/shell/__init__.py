"""What every screen builds on: the app's base class, actions, keys, messages, theme, settings.

May import, of `tui`: `charts`, `notify`, `practice` and the layers below.
"""
