"""Speaking on a server: sessions, takes, auditions, HTTP endpoints.

May import, of `remote`: `servers` and the layers below.
"""
