"""`sovdeck push [SERVER] --list FILE --voice NAME`: only what the server lacks goes up."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from engine.contract.problem import ExitCode, Problem
from tui.console import Console, size
from tui.moving import add_limit, interruptible, limit, show_progress, tuning
from tui.target import add_server, open_studio

if TYPE_CHECKING:
    from remote.recordings import Recordings
    from remote.studio import Studio


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument("--list", type=Path)
    parser.add_argument("--wavs", type=Path)
    parser.add_argument("--voice")
    parser.add_argument("--skip-faults", action="store_true")
    add_limit(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    from remote.transfer.push import push

    with open_studio(args, console) as studio, interruptible() as cancel:
        recordings = gather_for(studio, args)
        for problem in recordings.faults:
            console.emit({"level": "problem", **problem.as_json()})
            console.write(problem.sentence(console.language))
        if recordings.faults and not args.skip_faults:
            raise Problem("tui.cli.faults_stop", ExitCode.DATA, count=len(recordings.faults))
        folder = studio.layout().dataset(recordings.voice)
        pushed = push(
            studio.connect, recordings.files, str(folder),
            report=show_progress(console), cancel=cancel,
            bandwidth=limit(studio.config, args.limit), tuning=tuning(studio.config),
        )  # fmt: skip
        console.say(
            "tui.cli.pushed", server=studio.name, sent=pushed.sent_files,
            size=size(pushed.sent_bytes), kept=pushed.kept_files,
        )  # fmt: skip
        console.emit(
            {
                "status": "ok", "voice": recordings.voice, "folder": str(folder),
                "sent_files": pushed.sent_files, "sent_bytes": pushed.sent_bytes,
                "kept_files": pushed.kept_files, "seconds": round(pushed.seconds, 2),
            }
        )  # fmt: skip
    return 0


def gather_for(studio: Studio, args: argparse.Namespace) -> Recordings:
    """The dataset that the options name, else the one of deploy.toml."""
    from remote.recordings import gather

    config = studio.config
    voice = args.voice or config.train.voice
    list_file = args.list or (Path(config.dataset.list) if config.dataset.list else None)
    wavs = args.wavs or (Path(config.dataset.wavs) if config.dataset.wavs else None)
    if not voice:
        raise Problem("tui.cli.no_voice", ExitCode.CONFIG)
    if list_file is None:
        raise Problem("tui.cli.no_list", ExitCode.CONFIG)
    return gather(voice, list_file, wavs)
