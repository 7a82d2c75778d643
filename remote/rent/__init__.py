"""Renting a server for a voice: offers, leases, and that nothing keeps billing by accident.

May import every other room of `remote`; only `tui` imports it.
"""
