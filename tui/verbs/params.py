"""`sovdeck params [NAME]`: the parameter table, explained in the chosen language."""

from __future__ import annotations

import argparse
from typing import Any

from engine.contract.catalogue import Language, text
from engine.contract.param import Param
from engine.contract.params import PARAMS, find
from tui.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace, console: Console) -> int:
    if args.name and any(name.startswith(f"{args.name}.") for name in PARAMS):
        chosen = [param for param in PARAMS.values() if param.group == args.name]
    else:
        chosen = [find(args.name)] if args.name else list(PARAMS.values())
    for param in chosen:
        console.emit(as_json(param, console.language))
        for line in as_lines(param, console.language):
            console.write(line)
    return 0


def as_json(param: Param, language: Language) -> dict[str, Any]:
    return {
        "name": param.name, "kind": param.kind, "range": param.range_text(),
        "default": param.default, "auto": param.auto, "unit": param.unit,
        "title": param.title.get(language), "help": param.help.get(language),
        "recommended": param.recommended.get(language), "advice": param.advice.get(language),
    }  # fmt: skip


def as_lines(param: Param, language: Language) -> list[str]:
    facts = "  ".join(
        text(words, value=value).get(language)
        for words, value in (
            ("tui.options.param_range", param.range_text()),
            ("tui.options.param_default", param.default),
            ("tui.options.param_recommended", param.recommended.get(language)),
        )
        if value not in ("", ())
    )
    lines = [f"{param.name}  {param.title.get(language)}", f"    {param.help.get(language)}"]
    if facts:
        lines.append(f"    {facts}")
    if param.advice.get(language):
        lines.append(f"    {param.advice.get(language)}")
    return lines
