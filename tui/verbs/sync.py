"""`sovdeck sync [SERVER] [VOICE]`: saves, samples and pack here, as far as they are new."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from engine.contract.problem import ExitCode, Problem
from tui.console import Console
from tui.homing import at_each_save, quiet_way, say_synced
from tui.moving import add_limit, interruptible, limit, show_progress, tuning
from tui.target import add_server, open_studio

if TYPE_CHECKING:
    from remote.studio import Studio
    from remote.sync import Synced, Way
    from remote.transfer.policy import When


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument("voice", nargs="?", metavar="VOICE")
    parser.add_argument("--dest", type=Path)
    parser.add_argument("--best", action="store_true")
    parser.add_argument("--watch", action="store_true")
    add_limit(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    from remote.sync import Way
    from remote.transfer.policy import When

    with open_studio(args, console) as studio, interruptible() as cancel:
        when = When.BEST if args.best or studio.config.pull.auto == "best" else When.EACH_SAVE
        outputs = args.dest or Path(studio.config.paths.outputs)
        way = Way(
            show_progress(console), cancel, limit=limit(studio.config, args.limit),
            tuning=tuning(studio.config),
        )  # fmt: skip
        voice = args.voice or studio.config.train.voice
        code = watch(studio, voice, outputs, way, when, console) if args.watch else 0
        safe = True
        for name in [voice] if voice else _voices(studio):
            synced = bring(studio, name, outputs, way, when)
            say_synced(console, synced, studio.name)
            safe = safe and synced.verdict.safe
        console.emit({"status": "ok", "server": studio.name, "safe_to_switch_off": safe})
    return code


def bring(studio: Studio, voice: str, outputs: Path, way: Way, when: When) -> Synced:
    from remote.sync import sync

    link = studio.link()
    return sync(studio.connect, link, studio.deployed(), voice, outputs, way, when=when)


def watch(studio: Studio, voice: str, outputs: Path, way: Way, when: When, console: Console) -> int:
    """Follow the newest run of the voice (of all, when none is named); its exit code."""
    from remote import voice_files
    from tui.following import follow

    found = voice_files.newest_run(studio.link(), studio.layout(), voice)
    if found is None:
        raise Problem("remote.config.no_runs", ExitCode.CONFIG, name=studio.name)
    run, voice = found
    aside = quiet_way(threading.Event(), way.limit)
    with at_each_save(studio, voice, outputs, aside, when, console) as auto:
        ended = follow(studio, studio.run(run), console, listen=auto.heard)
    console.emit({"run": run, "state": ended.job.state, "exit_code": ended.code})
    return ended.code


def _voices(studio: Studio) -> tuple[str, ...]:
    from remote import voice_files

    found = voice_files.voices(studio.link(), studio.layout())
    if not found:
        raise Problem("tui.cli.no_voices", ExitCode.DATA, server=studio.name)
    return found
