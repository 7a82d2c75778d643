"""What screens share: their base classes, modals, sortable tables."""
