"""What every transfer stands on: ranges, workers, concurrency, rate limit, retries, part files."""
