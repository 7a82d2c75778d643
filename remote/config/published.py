"""The schema of deploy.toml as JSON Schema, for editors that complete and check while one types."""

from __future__ import annotations

import json

from remote.config.schema import Config


def schema_text() -> str:
    """The whole schema, indented, ending in a newline."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema |= Config.model_json_schema() | {"title": "deploy.toml of sovdeck"}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
