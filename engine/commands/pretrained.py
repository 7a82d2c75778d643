"""`pretrained get|verify|import|optional`: the weights training starts from, and what helps it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sovdeck.engine.contract import pretrained_set
from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.layout import VERSIONS, Layout, check_voice_name
from sovdeck.engine.contract.optional_models import OPTIONAL_MODELS, fetch_model, parse_models
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.runtime.console import output_language

if TYPE_CHECKING:
    from sovdeck.engine.interop.pretrained import FileState

NAME = "pretrained"
HELP = "fetch, verify or import the pretrained weights that training starts from"
_PROGRESS_INTERVAL_S = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pretrained`."""
    parser.add_argument("action", choices=("get", "verify", "import", "optional"))
    parser.add_argument("path", nargs="?", help="import: a folder, zip or file that holds them")
    parser.add_argument("--set", default="v2", help="folder below pretrained/ (default: v2)")
    parser.add_argument(
        "--version",
        choices=VERSIONS,
        default="v2Pro",
        help="what is to be trained; its files are fetched and verified (default: v2Pro)",
    )
    parser.add_argument(
        "--with",
        dest="models",
        default="",
        metavar="NAMES",
        help=f"optional: which models, of {', '.join(OPTIONAL_MODELS)}",
    )
    parser.add_argument("--work", type=Path, default=Path(), help="work folder (default: here)")
    parser.add_argument(
        "--source",
        action="append",
        metavar="URL_OR_FOLDER",
        help="get: ask this first, a .zip last; may be repeated (then: hub, mirror, ModelScope)",
    )


def run(args: argparse.Namespace) -> int:
    """Fetch, verify or import a set and print the state of each file; Problem unless complete."""
    layout = Layout.at(args.work.resolve().as_posix())
    if args.action == "optional":
        return _fetch_optional(args, Path(layout.pretrained))
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.interop import pretrained

    folder = Path(layout.pretrained) / check_voice_name(args.set)
    if args.action == "import":
        if args.path is None:
            raise Problem("engine.pretrained.no_path", ExitCode.CONFIG)
        imported = pretrained.import_pretrained(folder, Path(args.path))
        if not args.json:
            for name in imported:
                _print_text("engine.pretrained.line_brought", name=name)
        states = pretrained.verify_pretrained(folder, args.version)
    elif args.action == "get":
        if not args.json:
            size = pretrained_set.megabytes(args.version)
            _print_text("engine.pretrained.line_size", version=args.version, megabytes=size)
        states = pretrained.download_pretrained(
            folder,
            (*(args.source or ()), *pretrained_set.hub_urls(), *pretrained_set.ARCHIVE_URLS),
            version=args.version,
            progress=_ProgressPrinter(args.json),
        )
    else:
        states = pretrained.verify_pretrained(folder, args.version)
    complete = all(state.state in ("ok", "own") for state in states)
    if args.json:
        facts = {
            "folder": str(folder),
            "whole": complete,
            "files": pretrained.states_as_json(states),
        }
        print(json.dumps(facts, ensure_ascii=False))
    else:
        _print_states(states)
    if complete or args.action == "import":
        return 0
    faulty = ", ".join(f"{s.name} ({s.state})" for s in states if s.state not in ("ok", "own"))
    raise Problem("engine.pretrained.not_whole", ExitCode.DATA, folder=str(folder), files=faulty)


def _fetch_optional(args: argparse.Namespace, pretrained: Path) -> int:
    progress = _ProgressPrinter(args.json)
    for model in parse_models(args.models):
        fetch_model(model, pretrained, args.source or (), progress)
        facts = {"model": model.name, "folder": str(pretrained / model.folder), "whole": True}
        if args.json:
            print(json.dumps(facts, ensure_ascii=False), flush=True)
        else:
            _print_text("engine.optional.line_there", name=model.name, folder=facts["folder"])
    return 0


def _print_states(states: Sequence[FileState]) -> None:
    keys = {
        "ok": "engine.pretrained.line_ok",
        "own": "engine.pretrained.line_own",
        "missing": "engine.pretrained.line_missing",
        "damaged": "engine.pretrained.line_damaged",
    }
    for state in states:
        _print_text(
            keys[state.state], name=state.name, why=state.why or "", megabytes=state.bytes / 1e6
        )


def _print_text(key: str, **facts: object) -> None:
    print(text(key, **facts).get(output_language()))


class _ProgressPrinter:
    """Says how far a file is, every few seconds: a line on stderr, or JSON on stdout."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._printed_at = time.monotonic()

    def __call__(self, name: str, have: int, total: int | None) -> None:
        if time.monotonic() - self._printed_at < _PROGRESS_INTERVAL_S:
            return
        self._printed_at = time.monotonic()
        if self._as_json:
            print(json.dumps({"file": name, "have": have, "total": total}), flush=True)
            return
        share = f" / {total / 1e6:.0f} MB" if total else ""
        line = text("engine.pretrained.line_part", name=name, megabytes=have / 1e6, share=share)
        print(line.get(output_language()), file=sys.stderr)
