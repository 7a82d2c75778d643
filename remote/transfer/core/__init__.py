"""What every transfer stands on: ranges, workers, concurrency, rate limit, retries, part files.

May import nothing of `remote.transfer` from a layer above.
"""
