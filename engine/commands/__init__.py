"""The commands of `python -m sovdeck.engine`, one module each.

May import, of `engine`: `runs`, `bench` and the layers below.
"""
