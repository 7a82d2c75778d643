"""Files and folders from a server: resumed, verified.

May import, of `remote.transfer`: `sftp`, `agent` and the layers below.
"""
