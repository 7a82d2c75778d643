"""Reads deploy.toml and the user's servers file into one checked Config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomllib
from pydantic import ValidationError

from engine.contract.catalogue import text as words
from engine.contract.problem import ExitCode, Problem
from remote.config.faults import Fault, listing, refusals, secrets
from remote.config.places import Places
from remote.config.schema import Config

PROJECT_FILE = "deploy.toml"


def load(project: Path | None, places: Places) -> Config:
    """Read the project file over the user's servers file, key by key; all faults come at once.

    `project` None takes ./deploy.toml where there is one. While no file names a server, there
    is the embedded one, "local".
    """
    texts = {path: _text(path) for path in sources(project, places)}
    faults: list[Fault] = []
    merged: dict[str, Any] = {"servers": {}}
    for file, text in texts.items():
        raw, problems = _parse(file, text)
        faults += problems or _check(file, text, raw)
        if not faults:
            merged |= {key: _over(merged.get(key), value) for key, value in raw.items()}
    if not faults:
        merged["servers"] = merged["servers"] or {"local": {"embedded": True}}
        try:
            return Config.model_validate(merged)
        except ValidationError as error:  # faults that only the merged whole shows
            file, text = list(texts.items())[-1]
            faults = refusals(file, text, error)
    raise Problem(
        "remote.config.faults", ExitCode.CONFIG, count=len(faults), faults=listing(faults)
    )


def _over(below: Any, above: Any) -> Any:
    """A section's keys over those of the file below; a server's entry is taken whole."""
    both = isinstance(below, dict) and isinstance(above, dict)
    return {**below, **above} if both else above


def sources(project: Path | None, places: Places) -> list[Path]:
    """The files that are read, the user's first; Problem when the named one is missing."""
    if project is not None and not project.is_file():
        raise Problem("remote.config.missing", ExitCode.CONFIG, path=str(project))
    return [p for p in (places.servers, project or Path(PROJECT_FILE)) if p.is_file()]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(
            "remote.config.unreadable", ExitCode.CONFIG, path=str(path), why=str(error)
        ) from error


def _parse(file: Path, text: str) -> tuple[dict[str, Any], list[Fault]]:
    try:
        return tomllib.loads(text), []
    except tomllib.TOMLDecodeError as error:
        # "Expected '=' after a key (at line 3, column 5)"
        message, _, place = str(error).rpartition(" (at line ")
        number = place.split(",")[0]
        line = int(number) if number.isdigit() else text.count("\n") + 1
        what = words("remote.fault.not_toml", why=message or str(error))
        return {}, [Fault(file.name, line, "TOML", what)]


def _check(file: Path, text: str, raw: dict[str, Any]) -> list[Fault]:
    faults = list(secrets(file, text, raw))
    # One file may name a default server that the other one holds: checked when merged.
    alone = {key: value for key, value in raw.items() if key != "default_server"}
    try:
        Config.model_validate(alone)
    except ValidationError as error:
        faults += refusals(file, text, error)
    return sorted(faults, key=lambda fault: fault.line)
