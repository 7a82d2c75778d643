"""Writes docs/deploy_toml.md and its Chinese twin from the schema of deploy.toml: `make docs`.

The schema describes its keys in English, as editors show them; `deploy_toml_zh.json` beside this
file has the same in Chinese, and a test holds that it has all of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.catalogue import Language, Text
from sovdeck.remote.config.schema import ProjectConfig

FOLDER = Path(__file__).resolve().parent
PAGES: dict[Language, Path] = {
    "en": FOLDER / "deploy_toml.md",
    "zh": FOLDER / "zh" / "deploy_toml.md",
}
CHINESE: Mapping[str, str] = json.loads(
    (FOLDER / "deploy_toml_zh.json").read_text(encoding="utf-8")
)
TITLE = Text("deploy.toml", "deploy.toml")
ABOUT = Text(
    "The project's file: what you would otherwise type again. Every key is optional. It is read "
    "from the folder you are in, or from `--config FILE`. Unknown keys and passwords are refused, "
    "each with its line:\n\n    sovdeck config check\n\n"
    "Editors complete it from the schema, `docs/deploy.schema.json`. Lengths of time are written "
    '`"90s"`, `"10m"`, `"1.5h"` or `"2d"`. Made from the schema by `make docs`.',
    "项目文件：保存您不想重复输入的内容。每个键都可省略。"
    "从当前文件夹读取，或用 `--config FILE` 指定。"
    "不认识的键和密码会被拒绝，并指出行号：\n\n    sovdeck config check\n\n"
    '编辑器可用 `docs/deploy.schema.json` 补全。时长写作 `"90s"`、`"10m"`、`"1.5h"`、`"2d"`。'
    "由 `make docs` 从结构定义生成。",
)
HEAD = Text("| key | values | default | meaning |", "| 键 | 取值 | 默认 | 含义 |")
WHOLE_FILE = Text("At the top of the file", "文件开头")


def sections() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(table of the file, its properties in the schema); "" is the top of the file."""
    schema = ProjectConfig.model_json_schema()
    definitions = schema["$defs"]
    yield "", {k: v for k, v in schema["properties"].items() if "description" in v}
    yield "servers.NAME", definitions["ServerSection"]["properties"]
    for name, value in schema["properties"].items():
        if "$ref" in value:
            yield name, definitions[value["$ref"].rsplit("/", 1)[1]]["properties"]


def meaning(table: str, key: str, value: Mapping[str, Any], language: Language) -> str:
    """What a key means. KeyError where its Chinese is missing."""
    if language == "en":
        return str(value["description"])
    return CHINESE[f"{table}.{key}" if table else key]


def page(language: Language) -> str:
    """The whole page, as Markdown."""
    lines = [f"# {TITLE.get(language)}", "", ABOUT.get(language)]
    for table, properties in sections():
        title = f"`[{table}]`" if table else WHOLE_FILE.get(language)
        lines += ["", f"## {title}", "", HEAD.get(language), "|---|---|---|---|"]
        for key, value in properties.items():
            cells = [f"`{key}`", values(value), default(value)]
            cells.append(meaning(table, key, value, language))
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def values(value: Mapping[str, Any]) -> str:
    """What may stand there, in the words of TOML."""
    kinds = value.get("anyOf", [value])
    kind = next(one for one in kinds if one.get("type") != "null")
    if "enum" in kind:
        return " ".join(f"`{one}`" for one in kind["enum"])
    low, high = kind.get("minimum"), kind.get("maximum")
    if low is not None and high is not None:
        return f"{low} – {high}"
    if low is not None:
        return f"≥ {low}"
    return f"`{kind.get('const', kind.get('type', 'string'))}`"


def default(value: Mapping[str, Any]) -> str:
    """The default as TOML writes it; nothing where there is none."""
    given = value.get("default")
    return "" if given in (None, {}) else f"`{json.dumps(given)}`"


if __name__ == "__main__":
    for code, path in PAGES.items():
        path.write_text(page(code), encoding="utf-8")
