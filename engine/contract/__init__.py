"""Definitions shared by laptop and server: parameters, events, problems, folders, file writes.

Standard library only, Python 3.10 and newer: this is the one part of the engine that the
laptop imports, and it must also run on a server where nothing is installed yet.

May import nothing of `engine` from a layer above.
"""
