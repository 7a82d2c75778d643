"""`inspect FILE`: what a weight file is, without running it."""

from __future__ import annotations

import argparse
import json
from typing import Any

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.problem import ExitCode
from sovdeck.engine.runtime.console import output_language

NAME = "inspect"
HELP = "say what a weight file is: version, epoch, tensors missing or extra; runs nothing in it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `inspect`."""
    parser.add_argument("file", help="a .pth or .ckpt file")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 for a file this engine can run, 3 for one it cannot."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.interop import inspect_weights

    facts = inspect_weights(args.file)
    if args.json:
        print(json.dumps(facts, ensure_ascii=False))
    else:
        for line in _describe(facts):
            print(line.get(output_language()))
    return int(ExitCode.OK if facts["runs"] else ExitCode.DATA)


def _describe(facts: dict[str, Any]) -> list[Any]:
    families = {"sovits": "SoVITS", "gpt": "GPT"}
    unknown = "-"
    shown = {
        **facts,
        "family": families[facts["family"]],
        "megabytes": facts["bytes"] / 1e6,
        "millions": facts["parameters"] / 1e6,
        "dtypes": ", ".join(f"{count} {name}" for name, count in facts["dtypes"].items()),
        "epoch": unknown if facts["epoch"] is None else facts["epoch"],
        "step": unknown if facts["step"] is None else facts["step"],
    }
    lines = [text("engine.inspect.what", **shown), text("engine.inspect.size", **shown)]
    if facts["official_base"]:
        lines.append(text("engine.inspect.official"))
    if facts["network"] not in (None, facts["version"]):
        lines.append(text("engine.inspect.small_network"))
    if facts["posterior_left_out"]:
        lines.append(text("engine.inspect.no_posterior"))
    for name, key in (
        ("missing", "engine.inspect.missing"),
        ("extra", "engine.inspect.extra"),
        ("reshaped", "engine.inspect.reshaped"),
    ):
        difference = facts[name]
        if difference and difference["count"]:
            lines.append(text(key, count=difference["count"], first=difference["first"][0]))
    if facts["not_finite"]:
        bad = facts["not_finite"]
        lines.append(text("engine.inspect.not_finite", count=len(bad), first=bad[0]))
    guess = facts["upstream_takes_it_for"]
    if facts["network"] == facts["version"] and guess not in (None, facts["version"]):
        lines.append(text("engine.inspect.quick_guess", version=guess))
    if facts["note"] is not None and facts["note"].get("matches") is False:
        lines.append(text("engine.inspect.changed"))
    lines.append(text("engine.inspect.runs" if facts["runs"] else "engine.inspect.not_run"))
    return lines
