"""The Monitor screen: losses, memory, progress and log of one run."""
