"""Messages to a person from a run: webhooks, and WeChat by way of AutoDL.

May import, of `remote`: `auth`, `config` and the layers below.
"""
