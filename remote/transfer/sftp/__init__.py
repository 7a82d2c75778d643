"""SFTP packets and sessions with many requests in flight.

May import, of `remote.transfer`: `core`.
"""
