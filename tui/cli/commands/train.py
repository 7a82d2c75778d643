"""`sovdeck train [SERVER]`: start a supervised run that survives a lost connection."""

from __future__ import annotations

import argparse
import threading

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.settings import parse_train_options
from sovdeck.engine.contract.spec import PRESETS, RunSpec
from sovdeck.remote.disk.offers import DISK_LOW
from sovdeck.remote.jobs.client import RunHandle
from sovdeck.remote.preflight.other_runs import busy_problem
from sovdeck.remote.preflight.run import check_run, missing_weights
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.voices.run_spec import find_run_spec, make_run_spec
from sovdeck.remote.voices.sync import sync
from sovdeck.remote.voices.sync_policy import SyncPolicy
from sovdeck.remote.voices.transfer_options import TransferOptions
from sovdeck.tui.cli.commands.clean import offer_cleaning
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.follow_run import FollowedRun, follow_run
from sovdeck.tui.cli.parser import LocalizedParser
from sovdeck.tui.cli.prompts import TerminalDialog
from sovdeck.tui.cli.run_end import announce_run_end
from sovdeck.tui.cli.server_argument import add_server_argument, open_session
from sovdeck.tui.cli.sync_output import auto_download, print_sync_result
from sovdeck.tui.cli.transfer_output import ignore_progress
from sovdeck.tui.cli.weights_offer import offer_weights
from sovdeck.tui.state.models import RunEnd


def add_arguments(parser: LocalizedParser) -> None:
    """Add the options of `sovdeck train`."""
    add_server_argument(parser)
    parser.add_argument("--voice")
    parser.add_argument("--run")
    parser.add_argument("--preset", choices=PRESETS)
    parser.add_argument("--from-nothing", action="store_true")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="params",
    )
    busy = parser.add_mutually_exclusive_group()
    busy.add_argument("--queue", action="store_true", help=parser.option_text("queue"))
    busy.add_argument("--now", action="store_true", help=parser.option_text("now"))
    parser.add_argument("--wait", action="store_true")


def run(args: argparse.Namespace, console: Console) -> int:
    """Start the run; with `--wait` follow it, and exit with its exit code."""
    with open_session(args, console) as session:
        spec = make_spec(session, args)
        queue = confirm_ready(session, spec, args, console)
        for sentence in session.stop_texts():
            console.print_line(sentence.get(console.language))
        started = session.start(spec, queue=queue)
        handle = started.handle
        key = "tui.cli.queued" if queue else "tui.cli.started"
        console.print_message(key, run=handle.run_id, voice=spec.voice, server=session.name)
        if started.autostop_armed:
            console.print_message("tui.autostop.armed", name=session.name)
        for problem in started.problems:
            console.print_line(problem.sentence(console.language))
        if not args.wait:
            console.print_json({"status": "ok", "run": handle.run_id, "voice": spec.voice})
            return 0

        followed = _follow_and_download(session, handle, spec.voice, console)
        console.print_json(
            {"status": followed.job.state, "run": handle.run_id, "exit_code": followed.exit_code}
        )
        end = RunEnd(
            session.name, handle.run_id, spec.voice, followed.job.state, followed.exit_code
        )
        announce_run_end(session.config.notify, end, console)
        return followed.exit_code


def confirm_ready(
    session: ServerSession, spec: RunSpec, args: argparse.Namespace, console: Console
) -> bool:
    """Let the server confirm all the run needs; whether to queue it behind one that goes on.

    On a terminal it offers to fetch what lacks and to queue; else that is a Problem.
    """
    console.show_status(text("tui.cli.checking_run", server=session.name).get(console.language))
    checked = check_run(session, spec)
    if checked.weights is not None and checked.lacks_weights:
        if not offer_weights(session, checked.weights, console):
            raise missing_weights(session, checked.weights)
        checked = check_run(session, spec)
    if any(one.key == DISK_LOW for one in checked.problems):
        if not offer_cleaning(session, spec.voice, console):
            raise checked.problems[0]
        checked = check_run(session, spec)
    if checked.problems:
        raise checked.problems[0]
    for line in checked.plan_lines.get(console.language, ()):
        console.print_line(line)
    if checked.plan:
        console.print_json({"say": "plan", **checked.plan})
    for warning in checked.warnings:
        console.print_json({"level": "warning", **warning.as_json()})
        console.print_line(warning.sentence(console.language))
    if args.queue or args.now or not checked.active:
        return bool(args.queue)
    facts = {"server": session.name, "run": checked.active[-1]}
    if TerminalDialog(console).confirm("tui.cli.offer_queue", **facts):
        return True
    raise busy_problem(session, checked.active[-1])


def _follow_and_download(
    session: ServerSession, handle: RunHandle, voice: str, console: Console
) -> FollowedRun:
    """Follow the run, downloading its checkpoints meanwhile where deploy.toml asks for it."""
    policy = SyncPolicy(session.config.pull.auto)
    if policy is SyncPolicy.NEVER:
        return follow_run(session, handle, console)
    options = TransferOptions.from_config(
        session.config, ignore_progress, threading.Event(), background=True
    )
    with auto_download(session, voice, session.outputs, options, policy, console) as downloader:
        followed = follow_run(session, handle, console, on_events=downloader.handle_events)
    result = sync(session, voice, session.outputs, options, policy=policy)
    print_sync_result(console, result, session.name)
    return followed


def make_spec(session: ServerSession, args: argparse.Namespace) -> RunSpec:
    """The spec of the run that options and deploy.toml describe.

    A run that is there already and named alone goes on with what it was started with.
    """
    train = session.config.train
    if args.run and not (args.preset or args.params or args.from_nothing):
        earlier = find_run_spec(session, args.run)
        if earlier is not None and args.voice in (None, earlier.voice):
            return earlier
    voice = args.voice or train.voice
    if not voice:
        raise Problem("tui.cli.no_voice", ExitCode.CONFIG)
    return make_run_spec(
        session,
        voice,
        args.preset or train.preset,
        {**train.params, **parse_train_options(args.params)},
        from_nothing=args.from_nothing,
        run=args.run,
    )
