"""Addresses, host specifications, ssh_config, known hosts and host key policy.

No connection is opened here.

May import, of `remote`: `locked_file` and the layers below.
"""
