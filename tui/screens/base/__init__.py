"""What screens share: their base classes, modals, sortable tables.

May import nothing of `tui.screens` from a layer above.
"""
