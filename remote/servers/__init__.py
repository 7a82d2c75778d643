"""Saved servers: add one, sign in, keep a session with it, check its machine id, list its runs.

May import, of `remote`: `deploy`, `autostop` and the layers below.
"""
