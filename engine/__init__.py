"""The sovdeck engine: prepares data, trains, speaks and packs a GPT-SoVITS voice on the server.

Importing this package loads nothing but the standard library; torch is imported by the
rooms that need it, so the laptop may import `engine.contract` without it.
"""

__version__ = "0.1.0"
