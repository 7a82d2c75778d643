"""Language and formatting of text: numbers, sizes and durations as people read them.

May import nothing of `tui` from a layer above.
"""
