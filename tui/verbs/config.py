"""`sovdeck config check|schema`: deploy.toml read over, and its schema for editors."""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.contract.catalogue import text
from tui.console import Console
from tui.target import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check")
    check.add_argument("file", nargs="?", type=Path, metavar="FILE")
    add_json(check)
    add_json(actions.add_parser("schema"))


def run(args: argparse.Namespace, console: Console) -> int:
    if args.action == "schema":
        from remote.config.published import schema_text

        print(schema_text(), end="")
        return 0
    return _check(args, console)


def _check(args: argparse.Namespace, console: Console) -> int:
    from remote.config.advice import advise
    from remote.config.load import load, sources
    from remote.config.places import Places

    places = Places.find()
    config = load(args.file or args.config, places)
    files = [str(path) for path in sources(args.file or args.config, places)]
    if files:
        console.say("tui.config.fits", count=len(config.servers), files=", ".join(files))
    else:
        console.say("tui.config.no_file")
    hints = advise(config)
    for one in hints:
        console.write(text("tui.config.advice", advice=one).get(console.language))
    console.emit(
        {"status": "ok", "files": files, "servers": list(config.servers),
         "advice": [one.as_json() for one in hints]}
    )  # fmt: skip
    return 0
