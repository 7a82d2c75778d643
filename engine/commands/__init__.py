"""The commands of `python -m sovdeck.engine`, one module each."""
