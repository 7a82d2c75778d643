"""Writes docs/parameters.md and its Chinese twin from the parameter table: `make docs`."""

from __future__ import annotations

from pathlib import Path

from sovdeck.engine.contract.catalogue import Language, Text
from sovdeck.engine.contract.param import Param
from sovdeck.engine.contract.params import PARAMS

FOLDER = Path(__file__).resolve().parent
PAGES: dict[Language, Path] = {
    "en": FOLDER / "parameters.md",
    "zh": FOLDER / "zh" / "parameters.md",
}
TITLE = Text("Parameters", "参数")
ABOUT = Text(
    "Made from `engine/contract/*_table.py` by `make docs`. Quoted lines are what the guide "
    "advises, and where sovdeck differs from GPT-SoVITS. On the command line: `sovdeck params`.",
    "由 `make docs` 从 `engine/contract/*_table.py` 生成。引用的行是指南的建议，"
    "以及与 GPT-SoVITS 的不同之处。命令行上用 `sovdeck params` 查看。",
)
GROUPS = {
    "text": Text("Reading of transcripts", "文本读法"),
    "sovits": Text("SoVITS training", "SoVITS 训练"),
    "gpt": Text("GPT training", "GPT 训练"),
    "train": Text("Both stages", "两个阶段"),
    "pack": Text("Packing", "打包"),
    "infer": Text("Speaking", "合成"),
}
DEFAULT = Text("default", "默认")
RECOMMENDED = Text("Recommended: ", "推荐：")


def page(language: Language) -> str:
    """The whole page, as Markdown."""
    lines = [f"# {TITLE.get(language)}", "", ABOUT.get(language)]
    for group, title in GROUPS.items():
        lines += ["", f"## {title.get(language)}"]
        for param in PARAMS.values():
            if param.group == group:
                lines += ["", *_entry(param, language)]
    return "\n".join(lines) + "\n"


def _entry(param: Param, language: Language) -> list[str]:
    facts = [f"{DEFAULT.get(language)} `{param.default}`"]
    if param.range_text():
        facts.insert(0, f"`{param.range_text()}`")
    title = f"### `{param.name}` · {param.title.get(language)}"
    lines = [title, "", ", ".join(facts), "", param.help.get(language)]
    if param.recommended.en:
        lines += ["", RECOMMENDED.get(language) + param.recommended.get(language)]
    if param.advice.en:
        lines += ["", f"> {param.advice.get(language)}"]
    return lines


if __name__ == "__main__":
    for code, path in PAGES.items():
        path.write_text(page(code), encoding="utf-8")
