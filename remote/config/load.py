"""Reads deploy.toml and the user's servers file into one checked Config."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomllib
from pydantic import BaseModel, ValidationError

from engine.contract.problem import ExitCode, Problem
from remote.config.lines import find_line
from remote.config.places import Places
from remote.config.schema import Config, Server

PROJECT_FILE = "deploy.toml"
_SECRET_WORDS = ("password", "passwd", "passphrase", "secret", "token")


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a file, printed `file:line: key: what`."""

    file: str
    line: int
    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key}: {self.what}"


def load(project: Path | None, places: Places) -> Config:
    """Read the project file over the user's servers file; all faults come at once.

    `project` None takes ./deploy.toml where there is one. While no file names a server, there
    is the embedded one, "local".
    """
    if project is not None and not project.is_file():
        raise Problem("remote.config.missing", ExitCode.CONFIG, path=str(project))
    path = project or Path(PROJECT_FILE)
    texts = {p: _text(p) for p in (places.servers, path) if p.is_file()}
    faults: list[Fault] = []
    merged: dict[str, Any] = {"servers": {}}
    for file, text in texts.items():
        raw, problems = _parse(file, text)
        faults += problems or list(_check(file, text, raw))
        servers = {**merged["servers"], **(raw.get("servers") or {})}
        merged = {**merged, **raw, "servers": servers}
    if not faults:
        merged["servers"] = merged["servers"] or {"local": {"embedded": True}}
        try:
            return Config.model_validate(merged)
        except ValidationError as error:  # faults that only the merged whole shows
            file, text = list(texts.items())[-1]
            faults = list(_faults(file, text, merged, error))
    listing = "\n".join(map(str, faults))
    raise Problem("remote.config.faults", ExitCode.CONFIG, count=len(faults), faults=listing)


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
        return {}, [Fault(file.name, line, "TOML", f"{message or error}.")]


def _check(file: Path, text: str, raw: dict[str, Any]) -> Iterator[Fault]:
    for path in _secrets(raw):
        what = "a password may not be in this file. Remove the line; sovdeck asks for it once."
        yield Fault(file.name, find_line(text, path), ".".join(path), what)
    # One file may name a default server that the other one holds: checked when merged.
    alone = {key: value for key, value in raw.items() if key != "default_server"}
    try:
        Config.model_validate(alone)
    except ValidationError as error:
        yield from _faults(file, text, raw, error)


def _faults(file: Path, text: str, raw: Any, error: ValidationError) -> Iterator[Fault]:
    found = []
    for item in error.errors():
        path = [str(part) for part in item["loc"] if part != "[key]"]
        if any(word in path[-1].lower() for word in _SECRET_WORDS if path):
            continue  # already reported, in plainer words
        what = item["msg"].removeprefix("Value error, ") + "."
        if item["type"] == "extra_forbidden":
            what = f'unknown key "{path[-1]}".{_nearest(path)}'
        elif item["type"] == "string_pattern_mismatch":
            what = "a server name takes letters, digits, dot, dash and underscore."
        found.append(Fault(file.name, find_line(text, path), ".".join(path) or "file", what))
    yield from sorted(found, key=lambda fault: fault.line)


def _nearest(path: list[str]) -> str:
    model: type[BaseModel] = Config
    for part in path[:-1]:
        kind = Server if model is Config and part == "servers" else None
        field = model.model_fields.get(part)
        annotation = field.annotation if field else None
        if kind is not None:
            model = Server
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    near = difflib.get_close_matches(path[-1], list(model.model_fields), n=1, cutoff=0.5)
    return f' Did you mean "{near[0]}"?' if near else ""


def _secrets(raw: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(raw, dict):
        for key, value in raw.items():
            if any(word in str(key).lower() for word in _SECRET_WORDS):
                yield (*path, str(key))
            else:
                yield from _secrets(value, (*path, str(key)))
