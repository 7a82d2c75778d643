"""Durations as a person writes them in deploy.toml and on the command line."""

from __future__ import annotations

import re

from sovdeck.engine.contract.problem import ExitCode, Problem

_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*([smhd])\Z")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(given: str) -> int:
    """Return the seconds of "90s", "10m", "1.5h" or "2d"; Problem for anything else."""
    found = _DURATION.match(given.strip())
    if found is None:
        raise Problem("remote.autostop.bad_duration", ExitCode.CONFIG, given=given)
    return round(float(found[1]) * _UNIT_SECONDS[found[2]])
