"""Execution of a run from its spec to its exit: preflight, stages, worker processes."""
