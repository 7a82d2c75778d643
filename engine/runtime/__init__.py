"""What every run needs, without models: events, checkpoints, device, processes, signals.

May import, of `engine`: `contract`.
"""
