"""`sovdeck models get|push|verify [SERVER]`: the pretrained weights training starts from."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.contract.problem import ExitCode, Problem
from tui.console import Console, size
from tui.moving import show_progress
from tui.target import add_server, open_studio

if TYPE_CHECKING:
    from remote.studio import Studio

LIMIT_S = 4 * 3600.0  # a slow hub and 1.3 GB


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("get", "push", "verify"))
    add_server(parser)
    parser.add_argument("--from", type=Path, dest="folder", metavar="FOLDER", help="push: from")
    parser.add_argument("--set", help="which set (default: deploy.toml's, v2)")
    parser.add_argument("--source", action="append", default=[], metavar="URL", help="get: mirror")


def run(args: argparse.Namespace, console: Console) -> int:
    if args.action == "push" and args.folder is None:
        raise Problem("tui.cli.no_models_folder", ExitCode.CONFIG)
    with open_studio(args, console) as studio:
        args.set = args.set or studio.config.models.set
        if args.action == "push":
            answer = _push(studio, args, console)
        else:
            mirrors = args.source or studio.config.models.sources
            sources = [word for url in mirrors for word in ("--source", url)]
            if args.action == "get":
                console.say("tui.cli.models_fetching", server=studio.name)
            answer = _ask(studio, args, [args.action, *sources])
    for file in answer.get("files", ()):
        console.write(f"{file['state']:<8} {file['name']}  {size(file.get('bytes') or 0)}")
    whole = answer.get("whole") is True
    console.say("tui.cli.models_whole" if whole else "tui.cli.models_not_whole", set=args.set)
    console.emit({"status": "ok" if whole else "incomplete", **answer})
    return 0 if whole or args.action == "push" else int(ExitCode.DATA)


def _push(studio: Studio, args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Send the folder's files, let the engine take in what it knows, and remove our copy."""
    from remote.transfer.push import push

    folder: Path = args.folder
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    if not files:
        raise Problem("tui.cli.empty_models_folder", ExitCode.DATA, folder=str(folder))
    incoming = studio.layout().pretrained / "incoming"
    push(
        studio.connect, files, str(incoming),
        report=show_progress(console), cancel=threading.Event(),
    )  # fmt: skip
    answer = _ask(studio, args, ["import", str(incoming)])
    studio.link().run(["rm", "-rf", "--", str(incoming)])
    return answer


def _ask(studio: Studio, args: argparse.Namespace, words: list[str]) -> dict[str, Any]:
    """Run `engine pretrained` there; its own Problem comes back as one of ours."""
    from remote.homecoming import engine_command

    work = str(studio.layout().work)
    command = ["pretrained", *words, "--set", args.set, "--work", work, "--json"]
    answer = engine_command(studio.link(), studio.deployed(), command, timeout=LIMIT_S)
    message = answer.get("message")
    if "whole" not in answer and isinstance(message, dict):
        why = str(message.get("en", ""))[:400]
        raise Problem("tui.cli.models_refused", ExitCode.DATA, server=studio.name, why=why)
    return answer
