"""Questions to the transfer agent that runs on the server.

May import, of `remote.transfer`: `core`.
"""
