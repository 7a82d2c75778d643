"""A generated practice dataset: twenty sentences spoken by a synthetic voice.

May import, of `engine`: `text`, `audio`, `models`, `interop`, `runtime` and the layers below.
"""
