"""`sovdeck sync [SERVER] [VOICE]`: download new checkpoints, samples and the pack."""

from __future__ import annotations

import argparse
import threading
from dataclasses import replace
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.voices import listing as voice_listing
from sovdeck.remote.voices.sync import sync
from sovdeck.remote.voices.sync_policy import SyncPolicy
from sovdeck.remote.voices.transfer_options import BACKGROUND_TUNING, TransferOptions
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.follow_run import follow_run
from sovdeck.tui.cli.server_argument import add_server_argument, open_session
from sovdeck.tui.cli.sync_output import auto_download, print_sync_result
from sovdeck.tui.cli.transfer_output import (
    add_limit_option,
    cancel_on_interrupt,
    ignore_progress,
    progress_reporter,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck sync`."""
    add_server_argument(parser)
    parser.add_argument("voice", nargs="?", metavar="VOICE")
    parser.add_argument("--dest", type=Path)
    parser.add_argument("--best", action="store_true")
    parser.add_argument("--watch", action="store_true")
    add_limit_option(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Download what is new, with `--watch` until the run has ended."""
    with open_session(args, console) as session, cancel_on_interrupt() as cancel:
        policy = (
            SyncPolicy.BEST
            if args.best or session.config.pull.auto == "best"
            else SyncPolicy.EACH_CHECKPOINT
        )
        outputs = args.dest or session.outputs
        options = TransferOptions.from_config(
            session.config, progress_reporter(console), cancel, limit_mbit=args.limit
        )
        voice = args.voice or session.config.train.voice
        code = (
            follow_newest_run(session, voice, outputs, options, policy, console)
            if args.watch
            else 0
        )
        safe = True
        for name in [voice] if voice else _voice_names(session):
            result = sync(session, name, outputs, options, policy=policy)
            print_sync_result(console, result, session.name)
            safe = safe and result.switch_off.safe
        console.print_json({"status": "ok", "server": session.name, "safe_to_switch_off": safe})
    return code


def follow_newest_run(
    session: ServerSession,
    voice: str,
    outputs: Path,
    options: TransferOptions,
    policy: SyncPolicy,
    console: Console,
) -> int:
    """Follow the newest run of the voice (of all voices, when none is named); its exit code."""
    found = voice_listing.newest_run(session.connection(), session.layout(), voice)
    if found is None:
        raise Problem("remote.config.no_runs", ExitCode.CONFIG, name=session.name)
    run, voice = found
    silent = replace(
        options, report=ignore_progress, cancel=threading.Event(), tuning=BACKGROUND_TUNING
    )
    with auto_download(session, voice, outputs, silent, policy, console) as downloader:
        followed = follow_run(
            session, session.find_run(run), console, on_events=downloader.handle_events
        )
    console.print_json({"run": run, "state": followed.job.state, "exit_code": followed.exit_code})
    return followed.exit_code


def _voice_names(session: ServerSession) -> tuple[str, ...]:
    found = voice_listing.list_voices(session.connection(), session.layout())
    if not found:
        raise Problem("tui.cli.no_voices", ExitCode.DATA, server=session.name)
    return found
