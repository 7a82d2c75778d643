"""In a checkout the packages of sovdeck lie at the repository's root; this finds them there."""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2])]
