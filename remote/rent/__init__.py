"""Renting a server for a voice: offers, leases, and that nothing keeps billing by accident.

May import, of `remote`: `preflight`, `disk` and the layers below.
"""
