"""When a rented server switches itself off, and the watchdog on it that does.

May import, of `remote`: `jobs`, `probe`, `transfer` and the layers below.
"""
