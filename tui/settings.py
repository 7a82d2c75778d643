"""What the dashboard remembers about taste: one small TOML file, written by rename.

Nothing secret and nothing about servers is in here.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import tomllib

from engine.contract.params import check
from engine.contract.problem import ExitCode, Problem
from tui.state.raster import MARKERS

CHOICES: dict[str, tuple[str, ...]] = {
    "language": ("auto", "en", "zh"),
    "marker": tuple(MARKERS),
    "notify": ("toast", "bell", "desktop"),
}

TABLES = ("keys", "recipes", "tables")


@dataclass(frozen=True)
class Settings:
    """`theme` empty means: chosen by what the terminal can show.

    `dataset` and `screen` are the last folder and room; `keys` maps binding ids to keys,
    `recipes` names of saved training forms to their parameters, and `tables` a room's name to
    how its table is arranged.
    """

    language: str = "auto"
    theme: str = ""
    marker: str = "braille"
    notify: str = "toast"
    smoothing: float = 0.6
    log_scale: bool = False
    read_only: bool = False
    dataset: str = ""
    screen: str = "servers"
    play_takes: bool = True
    keys: Mapping[str, str] = field(default_factory=dict)
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def with_(self, **changes: Any) -> Settings:
        return replace(self, **changes)


def spoken(language: str, environ: Mapping[str, str]) -> str:
    """ "auto" resolved: SOVDECK_LANG, else the locale; Chinese only where it says so."""
    if language != "auto":
        return language
    for name in ("SOVDECK_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(name):
            return "zh" if environ[name].lower().startswith("zh") else "en"
    return "en"


def load(path: Path) -> Settings:
    """Read the file; defaults where there is none; Problem naming file and fault otherwise."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Problem(
            "tui.settings.broken", ExitCode.CONFIG, file=str(path), why=str(error)
        ) from error
    known = {item.name: item for item in fields(Settings)}
    for name, value in raw.items():
        if name not in known:
            raise Problem(
                "tui.settings.unknown", ExitCode.CONFIG,
                file=str(path), name=name, names=", ".join(known),
            )  # fmt: skip
        _check(path, name, value)
    return Settings(**raw)


def _check(path: Path, name: str, value: Any) -> None:
    default = getattr(Settings(), name)
    wanted = dict if name in TABLES else type(default)
    fits = isinstance(value, wanted) and isinstance(value, bool) == (wanted is bool)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        fits = True
    if fits and name in CHOICES:
        fits = value in CHOICES[name]
    if fits and name == "smoothing":
        fits = 0 <= value < 1
    if fits and name == "keys":
        fits = all(isinstance(key, str) for key in value.values())
    if fits and name == "tables":
        fits = all(map(_arranges, value.values()))
    if fits and name == "recipes":
        _check_recipes(path, value)
    if not fits:
        allowed = " | ".join(CHOICES.get(name, (wanted.__name__,)))
        raise Problem(
            "tui.settings.bad_value", ExitCode.CONFIG,
            file=str(path), name=name, value=value, allowed=allowed,
        )  # fmt: skip


def _check_recipes(path: Path, recipes: dict[str, Any]) -> None:
    for recipe, params in recipes.items():
        try:
            for name, value in dict(params).items():
                check(name, value)
        except (Problem, TypeError, ValueError) as error:
            raise Problem(
                "tui.settings.bad_recipe", ExitCode.CONFIG,
                file=str(path), name=recipe, why=str(error),
            ) from error  # fmt: skip


def _arranges(table: Any) -> bool:
    """Whether `table` is an arrangement; a column that no longer exists is forgiven later."""
    if not isinstance(table, dict) or set(table) - {"sort", "hidden"}:
        return False
    hidden = table.get("hidden", [])
    columns = [table.get("sort", ""), *(hidden if isinstance(hidden, list) else [None])]
    return all(isinstance(column, str) for column in columns)


def _scalar(value: Any) -> str:
    """JSON scalars of our types are TOML scalars too, but for characters JSON leaves bare."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def save(path: Path, settings: Settings) -> None:
    """Write the whole file beside its place and rename it there."""
    values = asdict(settings)
    tables = {"keys": values.pop("keys")}
    for group in ("recipes", "tables"):
        tables |= {f"{group}.{_scalar(name)}": one for name, one in values.pop(group).items()}
    lines = [f"{name} = {_scalar(value)}" for name, value in values.items()]
    for title, table in tables.items():
        if table or title != "keys":
            lines += ["", f"[{title}]"]
            lines += [f"{_scalar(name)} = {_scalar(value)}" for name, value in table.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".screen-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    Path(temporary).replace(path)
