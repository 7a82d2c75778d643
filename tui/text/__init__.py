"""Language and formatting of text: numbers, sizes and durations as people read them.

Imports nothing of tui.
"""
