"""deploy.toml: which servers there are and what a project does with them.

May import, of `remote`: `hosts` and the layers below.
"""
