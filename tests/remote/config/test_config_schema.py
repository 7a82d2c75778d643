"""The published schema is current, and every key of it is explained in the shipped file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest
import tomllib

from sovdeck.remote.config.schema import ProjectConfig, ServerSection, schema_text
from sovdeck.remote.probe.providers import PROVIDER_PROFILES

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = (ROOT / "deploy.toml").read_text(encoding="utf-8")


def test_the_published_schema_is_up_to_date() -> None:
    page = ROOT / "docs" / "deploy.schema.json"
    assert page.read_text(encoding="utf-8") == schema_text(), "run: make docs"


def test_a_server_may_be_said_to_be_of_any_known_provider() -> None:
    choices = get_args(ServerSection.model_fields["profile"].annotation)
    assert set(choices) == {"auto", *PROVIDER_PROFILES}


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
    for name, field in ProjectConfig.model_fields.items():
        if name in ("servers", "version", "default_server"):
            continue
        section = field.default
        for key, value in section.model_dump(mode="json").items():
            assert key in shown[name], f"{name}.{key}"
            assert shown[name][key] == value, f"{name}.{key}"


def test_the_shipped_file_explains_every_key_of_a_server() -> None:
    missing = [
        k
        for k in ServerSection.model_fields
        if not re.search(rf"^(# )?{k} = ", SHIPPED, re.MULTILINE)
    ]
    assert missing == []


NEITHER_HERE_NOR_THERE = {"profile": "vast", "price_per_hour": 2.0, "currency": "EUR"}
ON_THE_WAY = {
    "ssh": "ssh me@other",
    "host": "other",
    "port": 2222,
    "user": "me",
    "identity": "~/.ssh/k",
    "jump": "me@gate",
    "family": "ipv6",
    "host_key": "SHA256:" + "A" * 43,
    "embedded": True,
}


@pytest.mark.parametrize("field", sorted(ServerSection.model_fields))
def test_a_link_depends_on_the_way_there_alone(field: str) -> None:
    before = ServerSection(host="box")
    value = {**NEITHER_HERE_NOR_THERE, **ON_THE_WAY}[field]
    after = before.model_copy(update={field: value})
    assert (before.connection_settings() == after.connection_settings()) == (
        field in NEITHER_HERE_NOR_THERE
    )
