"""`pretrained get|verify|import`: the weights training starts from."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.contract.catalogue import text
from engine.contract.layout import Layout, check_name
from engine.contract.problem import ExitCode, Problem

if TYPE_CHECKING:
    from engine.interop.pretrained import FileState

NAME = "pretrained"
HELP = "fetch, verify or import the pretrained weights that training starts from"
_TOLD_EVERY_S = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("get", "verify", "import"))
    parser.add_argument("path", nargs="?", help="import: a folder, zip or file that holds them")
    parser.add_argument("--set", default="v2", help="folder below pretrained/ (default: v2)")
    parser.add_argument("--work", type=Path, default=Path(), help="work folder (default: here)")
    parser.add_argument(
        "--source", action="append", metavar="URL_OR_FOLDER",
        help="get: ask this first; repeat for more (default: the public hub and its mirror)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    from engine.contract import pretrained_set
    from engine.interop import pretrained

    layout = Layout.at(args.work.resolve().as_posix())
    folder = Path(layout.pretrained) / check_name(args.set)
    if args.action == "import":
        if args.path is None:
            raise Problem("engine.pretrained.no_path", ExitCode.CONFIG)
        brought = pretrained.bring(folder, Path(args.path))
        if not args.json:
            for name in brought:
                _say("engine.pretrained.line_brought", name=name)
        states = pretrained.verify(folder)
    elif args.action == "get":
        states = pretrained.get(
            folder, (*(args.source or ()), *pretrained_set.HUBS), tell=_Teller(args.json)
        )
    else:
        states = pretrained.verify(folder)
    whole = all(state.state in ("ok", "own") for state in states)
    if args.json:
        facts = {"folder": str(folder), "whole": whole, "files": pretrained.as_json(states)}
        print(json.dumps(facts, ensure_ascii=False))
    else:
        _print(states)
    if whole or args.action == "import":
        return 0
    faulty = ", ".join(f"{s.name} ({s.state})" for s in states if s.state not in ("ok", "own"))
    raise Problem("engine.pretrained.not_whole", ExitCode.DATA, folder=str(folder), files=faulty)


def _print(states: Sequence[FileState]) -> None:
    keys = {
        "ok": "engine.pretrained.line_ok", "own": "engine.pretrained.line_own",
        "missing": "engine.pretrained.line_missing", "damaged": "engine.pretrained.line_damaged",
    }  # fmt: skip
    for state in states:
        _say(keys[state.state], name=state.name, why=state.why, megabytes=state.bytes / 1e6)


def _say(key: str, **facts: object) -> None:
    from engine.cli import language

    print(text(key, **facts).get(language()))


class _Teller:
    """Says how far a file is on stderr, every few seconds."""

    def __init__(self, silent: bool) -> None:
        self._silent = silent
        self._told = time.monotonic()

    def __call__(self, name: str, have: int, total: int | None) -> None:
        if self._silent or time.monotonic() - self._told < _TOLD_EVERY_S:
            return
        from engine.cli import language

        self._told = time.monotonic()
        share = f" / {total / 1e6:.0f} MB" if total else ""
        line = text("engine.pretrained.line_part", name=name, megabytes=have / 1e6, share=share)
        print(line.get(language()), file=sys.stderr)
