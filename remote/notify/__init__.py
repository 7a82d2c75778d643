"""Messages to a person from a run: webhooks.

May import, of `remote`: `auth`, `config` and the layers below.
"""
