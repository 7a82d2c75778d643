"""Reads deploy.toml and the user's servers file into one checked ProjectConfig."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomllib
from pydantic import ValidationError

from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.catalogue import text as words
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.config.issues import ConfigIssue, format_issues, schema_issues, secret_issues
from sovdeck.remote.config.lint import lint_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.config.schema import ProjectConfig, find_address_fault
from sovdeck.remote.config.toml_positions import find_line

PROJECT_FILE = "deploy.toml"
_LONG_NUMBER = re.compile(r"\d{4301}")


@dataclass(frozen=True)
class ExaminedConfig:
    """What the files say: `config` where nothing is wrong, every issue else, and advice."""

    config: ProjectConfig | None
    issues: tuple[ConfigIssue, ...]
    advice: tuple[Text, ...]

    def require(self) -> ProjectConfig:
        """The configuration; one Problem names all issues."""
        if self.config is None:
            raise Problem(
                "remote.config.issues",
                ExitCode.CONFIG,
                count=len(self.issues),
                issues=format_issues(self.issues),
            )
        return self.config


def load_config(project: Path | None, app_paths: AppPaths) -> ProjectConfig:
    """Read the project file over the user's servers file; one Problem names all issues.

    `project` None takes ./deploy.toml where there is one. While no file names a server, there
    is the embedded one, "local".
    """
    return examine_config(project, app_paths).require()


def examine_config(project: Path | None, app_paths: AppPaths) -> ExaminedConfig:
    """Read the files and find everything that is wrong in them at once."""
    texts = {path: _read_text(path) for path in config_files(project, app_paths)}
    issues: list[ConfigIssue] = []
    merged: dict[str, Any] = {"servers": {}}
    parsed: dict[Path, dict[str, Any]] = {}
    for file, source in texts.items():
        raw, problems = _parse_toml(file, source)
        issues += problems
        if not problems:
            parsed[file] = raw
            issues += _validate(file, source, raw)
            merged |= {key: _merge(merged.get(key), value) for key, value in raw.items()}
    if len(parsed) == len(texts):  # else the servers are not all known
        issues += _find_unknown_default(texts, parsed, merged)
    _drop_faulty(merged, issues)
    merged["servers"] = merged.get("servers") or {"local": {"embedded": True}}
    try:
        sound = ProjectConfig.model_validate(merged)
    except ValidationError as error:  # what only the merged whole shows
        file, source = list(texts.items())[-1]
        return ExaminedConfig(None, tuple(issues or schema_issues(file, source, error)), ())
    return ExaminedConfig(None if issues else sound, tuple(issues), tuple(lint_config(sound)))


def _find_unknown_default(
    texts: Mapping[Path, str], parsed: Mapping[Path, dict[str, Any]], merged: dict[str, Any]
) -> list[ConfigIssue]:
    """The issue of a default server that no file names; one may name it, another hold it."""
    name = merged.get("default_server")
    servers = merged.get("servers")
    if not isinstance(name, str) or not name or not isinstance(servers, dict) or name in servers:
        return []
    file = [path for path, raw in parsed.items() if "default_server" in raw][-1]
    line = find_line(texts[file], ("default_server",))
    message = words("remote.config_issue.no_default", name=name)
    return [ConfigIssue(file.name, line, "default_server", message)]


def _drop_faulty(merged: dict[str, Any], issues: Sequence[ConfigIssue]) -> None:
    """Take out the servers and sections with issues, so that the rest can be judged too."""
    for issue in issues:
        section, _, rest = issue.key.partition(".")
        servers = merged.get("servers")
        if section == "servers" and rest and isinstance(servers, dict):
            dropped = [name for name in servers if rest == name or rest.startswith(f"{name}.")]
            merged["servers"] = {key: servers[key] for key in servers if key not in dropped}
            if merged.get("default_server") in dropped:
                del merged["default_server"]
        else:
            merged.pop(section, None)


def _merge(below: Any, above: Any) -> Any:
    """A section's keys over those of the file below; a server's entry is taken whole."""
    both = isinstance(below, dict) and isinstance(above, dict)
    return {**below, **above} if both else above


def config_files(project: Path | None, app_paths: AppPaths) -> list[Path]:
    """Return the files that are read, the user's first; Problem when the named one is missing."""
    if project is not None and not project.is_file():
        raise Problem("remote.config.missing", ExitCode.CONFIG, path=str(project))
    return [p for p in (app_paths.servers_file, project or Path(PROJECT_FILE)) if p.is_file()]


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(
            "remote.config.unreadable", ExitCode.CONFIG, path=str(path), why=str(error)
        ) from error


def _parse_toml(file: Path, text: str) -> tuple[dict[str, Any], list[ConfigIssue]]:
    try:
        return tomllib.loads(text), []
    except tomllib.TOMLDecodeError as error:
        # "Expected '=' after a key (at line 3, column 5)"
        message, _, position = str(error).rpartition(" (at line ")
        number = position.split(",")[0]
        line = int(number) if number.isdigit() else text.count("\n") + 1
        issue_text = words("remote.config_issue.not_toml", why=message or str(error))
        return {}, [ConfigIssue(file.name, line, "TOML", issue_text)]
    except (ValueError, RecursionError) as error:  # Python reads no number of 5,000 digits
        long = _LONG_NUMBER.search(text)
        line = text.count("\n", 0, long.start()) + 1 if long else 1
        issue_text = words("remote.config_issue.too_large_to_read", why=str(error)[:80])
        return {}, [ConfigIssue(file.name, line, "TOML", issue_text)]


def _validate(file: Path, source: str, raw: dict[str, Any]) -> list[ConfigIssue]:
    issues = list(secret_issues(file, source, raw))
    # One file may name a default server that the other one holds: checked when merged.
    alone = {key: value for key, value in raw.items() if key != "default_server"}
    if not isinstance(raw.get("default_server", ""), str):
        alone["default_server"] = raw["default_server"]
    try:
        ProjectConfig.model_validate(alone)
    except ValidationError as error:
        issues += schema_issues(file, source, error)
    servers = raw.get("servers")
    for name, table in servers.items() if isinstance(servers, dict) else ():
        # pydantic asks for one address only where every key of the table is right.
        fault = find_address_fault(table) if isinstance(table, dict) else None
        if fault is not None:
            line = find_line(source, ("servers", name))
            issues.append(ConfigIssue(file.name, line, f"servers.{name}", fault))
    return sorted(dict.fromkeys(issues), key=lambda issue: issue.line)
