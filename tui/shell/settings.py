"""The person's preferences for the dashboard: one small TOML file, written by rename.

Nothing secret and nothing about servers is in here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import tomllib

from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.catalogue import LANGUAGES, Language, system_language, to_language
from sovdeck.engine.contract.params import ParamValue
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.settings import convert_train_params
from sovdeck.tui.charts.raster import MARKERS

SETTING_CHOICES: dict[str, tuple[str, ...]] = {
    "language": ("auto", *LANGUAGES),
    "marker": tuple(MARKERS),
    "notify": ("toast", "bell", "desktop"),
}

TABLE_SETTINGS = ("keys", "recipes", "tables")


@dataclass(frozen=True)
class DashboardSettings:
    """Preferences; an empty `theme` is chosen by what the terminal can show.

    `dataset` and `screen` are the last folder and screen; `keys` maps binding ids to keys,
    `recipes` names of saved training forms to their parameters, and `tables` the name of a screen
    to the layout of its table.
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
    recipes: Mapping[str, Mapping[str, ParamValue]] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def with_changes(self, **changes: Any) -> DashboardSettings:
        """A copy with some fields changed."""
        return replace(self, **changes)


def resolve_language(language: str, environ: Mapping[str, str]) -> Language:
    """The language of the setting; "auto" is that of the system."""
    return system_language(environ) if language == "auto" else to_language(language)


def load_settings(path: Path) -> DashboardSettings:
    """Read the file; defaults where there is none; Problem naming the file and its fault."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return DashboardSettings()
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, an endless number
        raise Problem(
            "tui.settings.broken", ExitCode.CONFIG, file=str(path), why=str(error)
        ) from error
    known = {item.name: item for item in fields(DashboardSettings)}
    for name, value in raw.items():
        if name not in known:
            raise Problem(
                "tui.settings.unknown",
                ExitCode.CONFIG,
                file=str(path),
                name=name,
                names=", ".join(known),
            )
        _check_setting(path, name, value)
    recipes = {
        name: _convert_recipe(path, name, one) for name, one in raw.get("recipes", {}).items()
    }
    return DashboardSettings(**{**raw, "recipes": recipes})


def _check_setting(path: Path, name: str, value: Any) -> None:
    default = getattr(DashboardSettings(), name)
    expected_type = dict if name in TABLE_SETTINGS else type(default)
    valid = isinstance(value, expected_type) and isinstance(value, bool) == (expected_type is bool)
    if expected_type is float and isinstance(value, int) and not isinstance(value, bool):
        valid = True
    if valid and name in SETTING_CHOICES:
        valid = value in SETTING_CHOICES[name]
    if valid and name == "smoothing":
        valid = 0 <= value < 1
    if valid and name == "keys":
        valid = all(isinstance(key, str) for key in value.values())
    if valid and name == "tables":
        valid = all(map(_is_table_layout, value.values()))
    if not valid:
        allowed = " | ".join(SETTING_CHOICES.get(name, (expected_type.__name__,)))
        raise Problem(
            "tui.settings.bad_value",
            ExitCode.CONFIG,
            file=str(path),
            name=name,
            value=value,
            allowed=allowed,
        )


def _convert_recipe(path: Path, recipe: str, params: Any) -> Mapping[str, ParamValue]:
    try:
        return convert_train_params(dict(params))
    except (Problem, TypeError, ValueError) as error:
        raise Problem(
            "tui.settings.bad_recipe", ExitCode.CONFIG, file=str(path), name=recipe, why=str(error)
        ) from error


def _is_table_layout(table: Any) -> bool:
    """Whether `table` is a table layout; a column that no longer exists is forgiven later."""
    if not isinstance(table, dict) or set(table) - {"sort", "hidden"}:
        return False
    hidden = table.get("hidden", [])
    columns = [table.get("sort", ""), *(hidden if isinstance(hidden, list) else [None])]
    return all(isinstance(column, str) for column in columns)


def _toml_scalar(value: Any) -> str:
    """JSON scalars of our types are TOML scalars too, but for characters JSON leaves bare."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def save_settings(path: Path, settings: DashboardSettings) -> None:
    """Write the whole file beside its place and rename it there."""
    values = asdict(settings)
    tables = {"keys": values.pop("keys")}
    for group in ("recipes", "tables"):
        tables |= {f"{group}.{_toml_scalar(name)}": one for name, one in values.pop(group).items()}
    lines = [f"{name} = {_toml_scalar(value)}" for name, value in values.items()]
    for title, table in tables.items():
        if table or title != "keys":
            lines += ["", f"[{title}]"]
            lines += [
                f"{_toml_scalar(name)} = {_toml_scalar(value)}" for name, value in table.items()
            ]
    write_atomic(path, ("\n".join(lines) + "\n").encode(), durable=False, mode=0o600)
