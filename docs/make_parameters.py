"""Writes docs/parameters.md from the parameter table: `make docs`."""

from __future__ import annotations

from pathlib import Path

from engine.contract.param import Param
from engine.contract.params import PARAMS

PAGE = Path(__file__).resolve().parent / "parameters.md"
GROUPS = {
    "sovits": "SoVITS training · SoVITS 训练",
    "gpt": "GPT training · GPT 训练",
    "train": "Both stages · 两个阶段",
    "infer": "Speaking · 推理",
    "pack": "Packing · 打包",
    "pull": "Downloading · 下载",
    "host": "Server · 服务器",
}


def page() -> str:
    """The whole page, as Markdown."""
    lines = ["# Parameters · 参数", "", "Made from `engine/contract/*_table.py` by `make docs`."]
    for group, title in GROUPS.items():
        lines += ["", f"## {title}"]
        for param in PARAMS.values():
            if param.group == group:
                lines += ["", *_entry(param)]
    return "\n".join(lines) + "\n"


def _entry(param: Param) -> list[str]:
    facts = [f"default `{param.default}`"]
    if param.range_text():
        facts.insert(0, f"`{param.range_text()}`")
    lines = [
        f"### `{param.name}` · {param.title.en} · {param.title.zh}",
        "",
        f"{', '.join(facts)}",
        "",
        f"{param.help.en}  ",
        f"{param.help.zh}",
    ]
    if param.recommended.en:
        lines += ["", f"Recommended: {param.recommended.en} · 推荐：{param.recommended.zh}"]
    if param.advice.en:
        lines += ["", f"> {param.advice.en}  ", f"> {param.advice.zh}"]
    return lines


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
