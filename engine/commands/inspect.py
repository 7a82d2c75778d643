"""`inspect FILE`: what a weight file is, without running it."""

from __future__ import annotations

import argparse
import json
from typing import Any

from engine.contract.catalogue import text
from engine.contract.problem import ExitCode

NAME = "inspect"
HELP = "say what a weight file is: version, epoch, tensors missing or extra; runs nothing in it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a .pth or .ckpt file")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 for a file this engine can run, 3 for one it cannot."""
    from engine.cli import language
    from engine.interop import inspect

    facts = inspect(args.file)
    if args.json:
        print(json.dumps(facts, ensure_ascii=False))
    else:
        for line in _lines(facts):
            print(line.get(language()))
    return int(ExitCode.OK if facts["runs"] else ExitCode.DATA)


def _lines(facts: dict[str, Any]) -> list[Any]:
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
    if facts["network"] not in (None, "v2"):
        lines.append(text("engine.inspect.small_network"))
    if facts["posterior_left_out"]:
        lines.append(text("engine.inspect.no_posterior"))
    for name, key in (
        ("missing", "engine.inspect.missing"), ("extra", "engine.inspect.extra"),
        ("reshaped", "engine.inspect.reshaped"),
    ):  # fmt: skip
        found = facts[name]
        if found and found["count"]:
            lines.append(text(key, count=found["count"], first=found["first"][0]))
    if facts["not_finite"]:
        bad = facts["not_finite"]
        lines.append(text("engine.inspect.not_finite", count=len(bad), first=bad[0]))
    guess = facts["upstream_takes_it_for"]
    if facts["network"] == "v2" and guess not in (None, "v2"):
        lines.append(text("engine.inspect.quick_guess", version=guess))
    if facts["note"] is not None and facts["note"].get("matches") is False:
        lines.append(text("engine.inspect.changed"))
    lines.append(text("engine.inspect.runs" if facts["runs"] else "engine.inspect.not_run"))
    return lines
