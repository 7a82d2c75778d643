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

from engine.contract.problem import ExitCode, Problem
from tui.state.raster import MARKERS

CHOICES: dict[str, tuple[str, ...]] = {
    "language": ("auto", "en", "zh"),
    "marker": tuple(MARKERS),
    "notify": ("toast", "bell", "desktop"),
}


@dataclass(frozen=True)
class Settings:
    """`theme` empty means: chosen by what the terminal can show. `keys` maps binding id to keys."""

    language: str = "auto"
    theme: str = ""
    marker: str = "braille"
    notify: str = "toast"
    smoothing: float = 0.6
    log_scale: bool = False
    read_only: bool = False
    play_takes: bool = True
    keys: Mapping[str, str] = field(default_factory=dict)

    def with_(self, **changes: Any) -> Settings:
        return replace(self, **changes)


def default_path() -> Path:
    from platformdirs import user_config_path

    return user_config_path("sovdeck") / "screen.toml"


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
    wanted = dict if name == "keys" else type(default)
    fits = isinstance(value, wanted) and isinstance(value, bool) == (wanted is bool)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        fits = True
    if fits and name in CHOICES:
        fits = value in CHOICES[name]
    if fits and name == "smoothing":
        fits = 0 <= value < 1
    if not fits:
        allowed = " | ".join(CHOICES.get(name, (wanted.__name__,)))
        raise Problem(
            "tui.settings.bad_value", ExitCode.CONFIG,
            file=str(path), name=name, value=value, allowed=allowed,
        )  # fmt: skip


def _scalar(value: Any) -> str:
    """JSON scalars of our types are TOML scalars too, but for characters JSON leaves bare."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def save(path: Path, settings: Settings) -> None:
    """Write the whole file beside its place and rename it there."""
    values = asdict(settings)
    keys = values.pop("keys")
    lines = [f"{name} = {_scalar(value)}" for name, value in values.items()]
    if keys:
        lines += ["", "[keys]"]
        lines += [f"{_scalar(name)} = {_scalar(value)}" for name, value in keys.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".screen-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    Path(temporary).replace(path)
