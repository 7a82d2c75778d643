"""A small SSH and SFTP server of our own, for the demo and for tests on machines without sshd.

May import, of `remote`: `auth`, `config` and the layers below.
"""
