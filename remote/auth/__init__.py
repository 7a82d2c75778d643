"""Credentials: keys, passwords, the keyring, and the order in which they are offered.

May import, of `remote`: `hosts` and the layers below.
"""
