"""What every run needs, without models: events, checkpoints, device, processes, signals."""
