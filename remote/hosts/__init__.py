"""Addresses, host specifications, ssh_config, known hosts and host key policy.

No connection is opened here.
"""
