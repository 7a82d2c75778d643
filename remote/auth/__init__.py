"""Credentials: keys, passwords, the keyring, and the order in which they are offered."""
