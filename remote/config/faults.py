"""Puts what the schema refused into sentences: `file:line: key: what. do this`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from engine.contract.catalogue import Language, Text, text
from remote.config.lines import find_line
from remote.config.schema import Config
from remote.config.unfit import Unfit

_SECRET_WORDS = ("password", "passwd", "passphrase", "secret", "token")
_LOGIN_INSIDE = re.compile(r"://[^/\s@]*:[^/\s@]*@")
# What pydantic calls a value of the wrong kind -> our sentence.
_KINDS = {
    "int": "remote.fault.want_int",
    "float": "remote.fault.want_number",
    "bool": "remote.fault.want_bool",
    "string": "remote.fault.want_text",
    "tuple": "remote.fault.want_list",
    "dict": "remote.fault.want_table",
    "model": "remote.fault.want_table",
}
# Where a value has a form of its own, the sentence that shows it.
_FORMS = {
    "servers": "remote.fault.server_name",
    "host_key": "remote.fault.host_key",
    "torch": "remote.fault.torch_build",
    "webhook": "remote.fault.webhook_name",
}


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a file."""

    file: str
    line: int
    key: str
    what: Text

    def sentence(self, language: Language) -> str:
        return f"{self.file}:{self.line}: {self.key}: {self.what.get(language)}"


def listing(faults: Sequence[Fault]) -> Text:
    """All faults, one a line."""
    return Text(
        "\n".join(fault.sentence("en") for fault in faults),
        "\n".join(fault.sentence("zh") for fault in faults),
    )


def refusals(file: Path, source: str, error: ValidationError) -> list[Fault]:
    """Everything the schema refused, in the order of the file."""
    found: list[Fault] = []
    for item in error.errors():
        path = tuple(str(part) for part in item["loc"] if part != "[key]")
        if path and _is_secret(path[-1]):
            continue  # `secrets` says that in plainer words
        for below, what in _sentences(path, item):
            keys = (*path, *below)
            found.append(Fault(file.name, find_line(source, keys), ".".join(keys) or "file", what))
    return sorted(found, key=lambda fault: fault.line)


def secrets(file: Path, source: str, raw: Any) -> Iterator[Fault]:
    """Passwords, which no file of ours may hold; their text is not repeated."""
    for path in _secret_paths(raw):
        what = text("remote.fault.password")
        yield Fault(file.name, find_line(source, path), ".".join(path), what)


def _sentences(
    path: tuple[str, ...], item: Mapping[str, Any]
) -> Sequence[tuple[tuple[str, ...], Text]]:
    kind: str = item["type"]
    context = item.get("ctx", {})
    if isinstance(context.get("error"), Unfit):
        return tuple(context["error"].faults)
    given = str(item["input"])[:40]
    if kind == "extra_forbidden":
        what = _unknown(path)
    elif kind == "literal_error":
        choices = context["expected"].replace("'", "").replace(" or ", ", ")
        what = text("remote.fault.choice", given=given, choices=choices)
    elif kind == "string_pattern_mismatch":
        form = _FORMS["servers" if path[0] == "servers" and len(path) == 2 else path[-1]]
        what = text(form)
    elif kind in ("greater_than_equal", "less_than_equal"):
        word = "at_least" if "ge" in context else "at_most"
        what = text(f"remote.fault.{word}", given=given, limit=context.get("ge", context.get("le")))
    elif kind == "string_too_long":
        what = text("remote.fault.too_long", limit=context["max_length"])
    else:
        what = text(_KINDS[kind.split("_")[0]])
    return (((), what),)


def _unknown(path: tuple[str, ...]) -> Text:
    near = difflib.get_close_matches(path[-1], _keys_at(path[:-1]), n=1, cutoff=0.5)
    if near:
        return text("remote.fault.unknown_near", name=path[-1], near=near[0])
    return text("remote.fault.unknown", name=path[-1], known=", ".join(_keys_at(path[:-1])))


def _keys_at(path: tuple[str, ...]) -> list[str]:
    """The keys a table of the file may hold."""
    model: type[BaseModel] = Config
    for part in path:
        field = model.model_fields.get(part)
        if field is None:
            continue  # a server's own name
        kinds = (field.annotation, *get_args(field.annotation))
        model = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), model)
    return list(model.model_fields)


def _is_secret(key: str) -> bool:
    """Whether a key means to hold one, also misspelt."""
    name = key.lower()
    alike = difflib.get_close_matches(name, _SECRET_WORDS, n=1, cutoff=0.8)
    return bool(alike) or any(word in name for word in _SECRET_WORDS)


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
    elif isinstance(raw, str) and _LOGIN_INSIDE.search(raw):
        yield path
