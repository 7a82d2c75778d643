"""`sovdeck pull [SERVER] [VOICE]`: the packed voice here, verified and unpacked."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.contract.params import PARAMS
from remote.homecoming import Home, bring_home
from remote.upstream_folder import check_upstream, place
from tui.console import Console, size
from tui.moving import add_limit, interruptible, limit, show_progress, tuning
from tui.target import add_server, open_studio, voice_of

if TYPE_CHECKING:
    from remote.config.schema import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument("voice", nargs="?", metavar="VOICE")
    parser.add_argument("--dest", type=Path)
    parser.add_argument("--contents", choices=PARAMS["pack.contents"].choices)
    parser.add_argument("--into", type=Path, metavar="FOLDER")
    parser.add_argument("--no-verify", action="store_true")
    parser.add_argument("--no-resume", action="store_true")
    add_limit(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    if args.into is not None:
        check_upstream(args.into)
    with open_studio(args, console) as studio, interruptible() as cancel:
        voice = voice_of(args, studio)
        home = bring_home(
            studio.connect, studio.link(), studio.deployed(), voice,
            args.dest or Path(studio.config.paths.outputs),
            report=show_progress(console), cancel=cancel,
            verify=studio.config.pull.verify and not args.no_verify,
            resume=not args.no_resume, contents=args.contents or wanted_contents(studio.config),
            bandwidth=limit(studio.config, args.limit), tuning=tuning(studio.config),
        )  # fmt: skip
        console.say(
            "tui.cli.pulled", voice=voice, folder=str(home.folder), size=size(home.bytes),
            seconds=round(home.seconds, 1),
        )  # fmt: skip
        if not home.verified:
            console.say("tui.cli.unverified")
        placed = [] if args.into is None else place(home.files, home.folder, args.into)
        for path in placed:
            console.say("tui.cli.placed", path=str(path))
        answer = {"status": "ok", "voice": voice, **as_json(home)}
        console.emit({**answer, "placed": [str(path) for path in placed]})
    return 0


def wanted_contents(config: Config) -> str | None:
    """What deploy.toml wants packed; None for the ordinary pack, which every run leaves behind."""
    contents = config.pull.contents
    return None if contents == PARAMS["pack.contents"].default else contents


def as_json(home: Home) -> dict[str, Any]:
    return {
        "zip": str(home.zip), "bytes": home.bytes, "sha256": home.sha256,
        "verified": home.verified, "seconds": round(home.seconds, 2),
        "resumed_bytes": home.resumed_bytes, "folder": str(home.folder),
        "files": list(home.names()),
    }  # fmt: skip
