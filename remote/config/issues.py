"""Puts what the schema refused into sentences: `file:line: key: message. hint`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from sovdeck.engine.contract.catalogue import Language, Text, text
from sovdeck.remote.config.invalid_value import InvalidValue
from sovdeck.remote.config.schema import ProjectConfig
from sovdeck.remote.config.toml_positions import find_line

_SECRET_KEYS = ("password", "passwd", "passphrase", "secret", "token")
_URL_WITH_LOGIN = re.compile(r"://[^/\s@]*:[^/\s@]*@")
# What pydantic calls a value of the wrong kind -> our sentence.
_TYPE_MESSAGES = {
    "int": "remote.config_issue.want_int",
    "float": "remote.config_issue.want_number",
    "bool": "remote.config_issue.want_bool",
    "string": "remote.config_issue.want_text",
    "tuple": "remote.config_issue.want_list",
    "dict": "remote.config_issue.want_table",
    "model": "remote.config_issue.want_table",
}
# Where a value has a form of its own, the sentence that shows it.
_FORMAT_MESSAGES = {
    "servers": "remote.config_issue.server_name",
    "host_key": "remote.config_issue.host_key",
    "torch": "remote.config_issue.torch_build",
    "webhook": "remote.config_issue.webhook_name",
}


@dataclass(frozen=True)
class ConfigIssue:
    """One thing wrong in a file; `key` is the dotted key, `line` counts from 1."""

    file: str
    line: int
    key: str
    message: Text

    def sentence(self, language: Language) -> str:
        """Format as `file:line: key: message`."""
        return f"{self.file}:{self.line}: {self.key}: {self.message.get(language)}"


def format_issues(issues: Sequence[ConfigIssue]) -> Text:
    """Format all issues, one a line."""
    return Text(
        "\n".join(issue.sentence("en") for issue in issues),
        "\n".join(issue.sentence("zh") for issue in issues),
    )


def schema_issues(file: Path, source: str, error: ValidationError) -> list[ConfigIssue]:
    """Return everything the schema refused, in the order of the file."""
    found: list[ConfigIssue] = []
    for item in error.errors():
        path = tuple(str(part) for part in item["loc"] if part != "[key]")
        if path and _is_secret(path[-1]):
            continue  # `secret_issues` says that in plainer words
        for below, message in _issue_messages(path, item):
            keys = (*path, *below)
            found.append(
                ConfigIssue(file.name, find_line(source, keys), ".".join(keys) or "file", message)
            )
    return sorted(found, key=lambda issue: issue.line)


def secret_issues(file: Path, source: str, raw: Any) -> Iterator[ConfigIssue]:
    """Yield one issue for each password, which no file of ours may hold; never its text."""
    for path in _secret_paths(raw):
        message = text("remote.config_issue.password")
        yield ConfigIssue(file.name, find_line(source, path), ".".join(path), message)


def _issue_messages(
    path: tuple[str, ...], item: Mapping[str, Any]
) -> Sequence[tuple[tuple[str, ...], Text]]:
    kind: str = item["type"]
    context = item.get("ctx", {})
    if isinstance(context.get("error"), InvalidValue):
        return tuple(context["error"].issues)
    given = str(item["input"])[:40]
    if kind == "extra_forbidden":
        message = _unknown_key_message(path)
    elif kind == "literal_error":
        choices = context["expected"].replace("'", "").replace(" or ", ", ")
        message = text("remote.config_issue.choice", given=given, choices=choices)
    elif kind == "string_pattern_mismatch":
        form = _FORMAT_MESSAGES["servers" if path[0] == "servers" and len(path) == 2 else path[-1]]
        message = text(form)
    elif kind in ("greater_than_equal", "less_than_equal"):
        word = "at_least" if "ge" in context else "at_most"
        message = text(
            f"remote.config_issue.{word}", given=given, limit=context.get("ge", context.get("le"))
        )
    elif kind == "string_too_long":
        message = text("remote.config_issue.too_long", limit=context["max_length"])
    else:
        message = text(_TYPE_MESSAGES[kind.split("_")[0]])
    return (((), message),)


def _unknown_key_message(path: tuple[str, ...]) -> Text:
    near = difflib.get_close_matches(path[-1], _known_keys(path[:-1]), n=1, cutoff=0.5)
    if near:
        return text("remote.config_issue.unknown_near", name=path[-1], near=near[0])
    return text(
        "remote.config_issue.unknown", name=path[-1], known=", ".join(_known_keys(path[:-1]))
    )


def _known_keys(path: tuple[str, ...]) -> list[str]:
    """Return the keys a table of the file may hold."""
    model: type[BaseModel] = ProjectConfig
    for part in path:
        field = model.model_fields.get(part)
        if field is None:
            continue  # a server's own name
        kinds = (field.annotation, *get_args(field.annotation))
        model = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), model)
    return list(model.model_fields)


def _is_secret(key: str) -> bool:
    """Whether a key means to hold a secret, also misspelt."""
    name = key.lower()
    alike = difflib.get_close_matches(name, _SECRET_KEYS, n=1, cutoff=0.8)
    return bool(alike) or any(word in name for word in _SECRET_KEYS)


def _secret_paths(raw: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(raw, dict):
        for key, value in raw.items():
            if _is_secret(str(key)):
                yield (*path, str(key))
            else:
                yield from _secret_paths(value, (*path, str(key)))
    elif isinstance(raw, list):
        for value in raw:
            yield from _secret_paths(value, path)
    elif isinstance(raw, str) and _URL_WITH_LOGIN.search(raw):
        yield path
