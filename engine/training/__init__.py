"""Both training stages: the flat loop, the tasks it drives, the data they read."""
