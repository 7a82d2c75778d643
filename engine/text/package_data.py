"""Data files of installed distributions, read without importing the package around them.

Some of these packages ask for downloads, print, or write caches when they are imported.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path


def package_file(name: str, file: str) -> Path:
    """Path of `file` of the installed distribution `name`."""
    return Path(str(distribution(name).locate_file(file)))
