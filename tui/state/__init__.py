"""What the dashboard knows: one store changed only by events, pure, without Textual.

May import, of `tui`: `audio`, `text`.
"""
