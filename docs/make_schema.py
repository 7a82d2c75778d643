"""Writes docs/deploy.schema.json from the schema of deploy.toml: `make docs`."""

from __future__ import annotations

from pathlib import Path

from sovdeck.remote.config.schema import schema_text

PAGE = Path(__file__).resolve().parent / "deploy.schema.json"

if __name__ == "__main__":
    PAGE.write_text(schema_text(), encoding="utf-8")
