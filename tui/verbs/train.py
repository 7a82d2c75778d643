"""`sovdeck train [SERVER]`: a supervised run that goes on when the link drops."""

from __future__ import annotations

import argparse
import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.contract.params import PARAMS, check
from engine.contract.problem import ExitCode, Problem
from tui.console import Console
from tui.target import add_server, open_studio

if TYPE_CHECKING:
    from engine.contract.spec import RunSpec
    from remote.job import RunHandle
    from remote.studio import Studio
    from tui.following import Ended

TRAINING = ("sovits", "gpt", "train")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument("--voice")
    parser.add_argument("--run")
    parser.add_argument("--preset", choices=("v2", "tiny"))
    parser.add_argument("--from-nothing", action="store_true")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="params",
    )  # fmt: skip
    parser.add_argument("--queue", action="store_true")
    parser.add_argument("--wait", action="store_true")


def run(args: argparse.Namespace, console: Console) -> int:
    with open_studio(args, console) as studio:
        spec = make_spec(studio, args)
        started = studio.start(spec, queue=args.queue)
        handle = started.handle
        said = "tui.cli.queued" if args.queue else "tui.cli.started"
        console.say(said, run=handle.run, voice=spec.voice, server=studio.name)
        if started.armed:
            console.say("tui.autostop.armed", name=studio.name)
        if started.remark is not None:
            console.write(started.remark.sentence(console.language))
        if not args.wait:
            console.emit({"status": "ok", "run": handle.run, "voice": spec.voice})
            return 0
        from tui.herald import announce
        from tui.state.work import RunEnd

        ended = _follow(studio, handle, spec.voice, console)
        console.emit({"status": ended.job.state, "run": handle.run, "exit_code": ended.code})
        end = RunEnd(studio.name, handle.run, spec.voice, ended.job.state, ended.code)
        announce(studio.config.notify, end, console)
        return ended.code


def _follow(studio: Studio, handle: RunHandle, voice: str, console: Console) -> Ended:
    """Follow the run; its saves come home meanwhile where deploy.toml wants that."""
    from remote.transfer.policy import When
    from tui.following import follow
    from tui.homing import at_each_save, quiet_way, say_synced
    from tui.moving import limit
    from tui.verbs.sync import bring

    when = When(studio.config.pull.auto)
    if when is When.NEVER:
        return follow(studio, handle, console)
    outputs = Path(studio.config.paths.outputs)
    way = quiet_way(threading.Event(), limit(studio.config))
    with at_each_save(studio, voice, outputs, way, when, console) as auto:
        ended = follow(studio, handle, console, listen=auto.heard)
    say_synced(console, bring(studio, voice, outputs, way, when), studio.name)
    return ended


def make_spec(studio: Studio, args: argparse.Namespace) -> RunSpec:
    """The run that options and deploy.toml describe."""
    from engine.contract.spec import RunSpec
    from remote.recordings import places

    train = studio.config.train
    voice = args.voice or train.voice
    if not voice:
        raise Problem("tui.cli.no_voice", ExitCode.CONFIG)
    list_file, wav_folder = places(studio.layout(), voice)
    pretrained = None if args.from_nothing else (train.pretrained or None)
    spec = RunSpec(
        run=args.run or run_id(voice, datetime.now()), voice=voice,
        preset=args.preset or train.preset, list_file=list_file, wav_folder=wav_folder,
        params={**train.params, **given_params(args.params)}, pretrained=pretrained,
        proof_text=train.proof_text, proof_language=train.proof_language,
    )  # fmt: skip
    spec.validate()
    return spec


def given_params(settings: list[str]) -> dict[str, Any]:
    """`["gpt.epochs=3"]` as checked values; Problem for what is no parameter or out of range."""
    found = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        found[name] = check(name, value)
        if PARAMS[name].group not in TRAINING:
            raise Problem("tui.cli.not_training", ExitCode.CONFIG, name=name)
    return found


def run_id(voice: str, now: datetime) -> str:
    """`20261122-141530-Anna`: sorts by time, and fits a file name and a command line."""
    plain = "".join(char if char.isascii() and char.isalnum() else "-" for char in voice)
    return f"{now:%Y%m%d-%H%M%S}-{plain.strip('-')[:40] or 'voice'}"
