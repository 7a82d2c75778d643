"""What a server is: facts gathered in one round trip, and the diagnosis made from them.

May import, of `remote`: `ssh`, `embedded`, `notify` and the layers below.
"""
