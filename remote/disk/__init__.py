"""What lies on a server's disk and on this computer's, and what of it may go.

May import, of `remote`: `voices` and the layers below.
"""
