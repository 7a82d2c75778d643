"""What the engine needs of a server, whoever asks: the plan, the doctor or the wheel relay."""

from __future__ import annotations

GIB = 1 << 30

# Oldest and newest Python the engine runs on.
PYTHONS = ((3, 10), (3, 13))

# An image's own torch may be older than the one we would install: below 2.6 a weights-only
# load can be escaped, so that is the floor.
REUSED = {"torch": "torch>=2.6", "torchaudio": "torchaudio>=2.6"}

ENVIRONMENT_BYTES = 12 * GIB  # torch with CUDA, unpacked, and the cache it is installed from
ENVIRONMENT_FILES = 60_000
RUN_BYTES = 4 * GIB
