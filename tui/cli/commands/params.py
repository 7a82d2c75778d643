"""`sovdeck params [NAME]`: the parameter table, explained in the chosen language."""

from __future__ import annotations

import argparse
from typing import Any

from sovdeck.engine.contract.catalogue import Language, text
from sovdeck.engine.contract.param import Param
from sovdeck.engine.contract.params import PARAMS, find_param
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.parser import add_json_option


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck params`."""
    parser.add_argument("name", nargs="?", metavar="NAME")
    add_json_option(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Print one parameter, one group, or all."""
    if args.name and any(name.startswith(f"{args.name}.") for name in PARAMS):
        chosen = [param for param in PARAMS.values() if param.group == args.name]
    else:
        chosen = [find_param(args.name)] if args.name else list(PARAMS.values())
    for param in chosen:
        console.print_json(param_json(param, console.language))
        for line in param_lines(param, console.language):
            console.print_line(line)
    return 0


def param_json(param: Param, language: Language) -> dict[str, Any]:
    """One parameter as a JSON object, its texts in `language`."""
    return {
        "name": param.name,
        "kind": param.kind,
        "range": param.range_text(),
        "default": param.default,
        "auto": param.auto,
        "unit": param.unit,
        "title": param.title.get(language),
        "help": param.help.get(language),
        "recommended": param.recommended.get(language),
        "advice": param.advice.get(language),
    }


def param_lines(param: Param, language: Language) -> list[str]:
    """One parameter as lines: title, help, range, default, advice."""
    facts = "  ".join(
        text(key, value=value).get(language)
        for key, value in (
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
