"""When a rented server switches itself off, and the watchdog on it that does."""
