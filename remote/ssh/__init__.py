"""One authenticated connection a server: dialling, keepalive, channels, forwards, retries.

May import, of `remote`: `auth`, `config` and the layers below.
"""
