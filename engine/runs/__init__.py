"""Execution of a run from its spec to its exit: preflight, stages, worker processes.

May import, of `engine`: `voice` and the layers below.
"""
