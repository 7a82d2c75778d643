"""The published schema is current, and every key of it is explained in the shipped file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import tomllib

from remote.config.published import schema_text
from remote.config.schema import Config, Server

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = (ROOT / "deploy.toml").read_text(encoding="utf-8")


def test_the_published_schema_is_up_to_date() -> None:
    page = ROOT / "docs" / "deploy.schema.json"
    assert page.read_text(encoding="utf-8") == schema_text(), "run: make docs"


def test_every_key_has_a_description() -> None:
    schema = json.loads(schema_text())
    silent = [
        f"{name}.{key}"
        for name, section in schema["$defs"].items()
        for key, field in section["properties"].items()
        if not field.get("description")
    ]
    assert silent == []


def test_the_shipped_file_shows_every_section_and_key_with_its_default() -> None:
    shown = tomllib.loads(SHIPPED)
    for name, field in Config.model_fields.items():
        if name in ("servers", "version", "default_server"):
            continue
        section = field.default
        for key, value in section.model_dump(mode="json").items():
            assert key in shown[name], f"{name}.{key}"
            assert shown[name][key] == value, f"{name}.{key}"


def test_the_shipped_file_explains_every_key_of_a_server() -> None:
    missing = [
        k for k in Server.model_fields if not re.search(rf"^(# )?{k} = ", SHIPPED, re.MULTILINE)
    ]
    assert missing == []
