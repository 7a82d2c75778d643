"""Desktop notifications and webhooks that a run has ended.

May import, of `tui`: `state` and the layers below.
"""
