"""`sovdeck models get|push|relay|verify [SERVER...]`: the weights that training starts from."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.layout import VERSIONS
from sovdeck.engine.contract.optional_models import OptionalModel, parse_models
from sovdeck.engine.contract.pretrained_set import megabytes
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.preflight.weights import find_weights, lacking_models
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.json_lines import (
    EngineProblem,
    int_field,
    object_list_field,
    run_engine_command,
    text_field,
)
from sovdeck.remote.transfer.core.progress import Report
from sovdeck.remote.transfer.core.tuning import bandwidth_limit, transfer_tuning
from sovdeck.remote.transfer.upload.push import push
from sovdeck.remote.voices.pretrained import fetch_optional_model, fetch_pretrained
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.server_argument import add_server_argument, open_session
from sovdeck.tui.cli.transfer_output import (
    add_limit_option,
    cancel_on_interrupt,
    ignore_progress,
    progress_reporter,
)
from sovdeck.tui.cli.weights_offer import fetch_models_with_progress, fetch_with_progress

ENGINE_TIMEOUT_S = 4 * 3600.0  # a slow hub and 1.3 GB
MAX_PARALLEL_SERVERS = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck models`."""
    parser.add_argument("action", choices=("get", "push", "relay", "verify"))
    add_server_argument(parser, multiple=True)
    parser.add_argument("--from", type=Path, dest="folder", metavar="FOLDER")
    parser.add_argument("--set")
    parser.add_argument("--version", choices=VERSIONS)
    parser.add_argument("--with", dest="models", default="", metavar="NAMES")
    parser.add_argument("--source", action="append", default=[], metavar="URL")
    add_limit_option(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Download, upload or verify the pretrained weights of each server."""
    if args.action == "push" and args.folder is None:
        raise Problem("tui.cli.no_models_folder", ExitCode.CONFIG)
    models = parse_models(args.models)
    with _open_sessions(args, console) as sessions, cancel_on_interrupt() as cancel:
        config = sessions[0].config
        args.set = args.set or config.models.set
        trained = config.train.preset
        args.version = args.version or (trained if trained in VERSIONS else "v2Pro")
        if args.action in ("push", "relay"):
            files = _files_to_send(sessions[0], args, console, cancel)
            results = _send_to_all(sessions, args, files, console, cancel)
            if args.action == "relay":
                _relay_models(sessions, models, args, console, cancel)
        else:
            results = {}
            for session in sessions:
                if args.action == "get":
                    lacking = find_weights(session, args.version, args.set)
                    console.print_message(
                        "tui.cli.models_fetching",
                        server=session.name,
                        version=args.version,
                        count=len(lacking.missing),
                        megabytes=lacking.megabytes,
                    )
                    results[session.name] = fetch_with_progress(
                        session, args.version, console, set_name=args.set, sources=args.source
                    )
                    _fetch_models(session, models, args, console)
                else:
                    results[session.name] = _run_pretrained(session, args, ["verify"])
    complete = [print_result(name, result, args.set, console) for name, result in results.items()]
    return 0 if all(complete) or args.action == "push" else int(ExitCode.DATA)


@contextmanager
def _open_sessions(args: argparse.Namespace, console: Console) -> Iterator[list[ServerSession]]:
    """Connect to every named server first, so that questions come before any transfer."""
    with ExitStack() as stack:
        sessions = []
        for name in args.server or [None]:
            server_args = argparse.Namespace(**{**vars(args), "server": name})
            sessions.append(stack.enter_context(open_session(server_args, console)))
        for session in sessions:
            session.require_deployment()
        yield sessions


def _fetch_models(
    session: ServerSession,
    models: Sequence[OptionalModel],
    args: argparse.Namespace,
    console: Console,
) -> None:
    """Let the server fetch the optional models that it lacks."""
    lacking = lacking_models(session, models) if models else ()
    for model in lacking:
        console.print_message(
            "tui.cli.optional_fetching",
            server=session.name,
            name=model.name,
            megabytes=model.megabytes,
        )
        fetch_models_with_progress(session, [model], console, sources=args.source)
    for model in models:
        console.print_message("tui.cli.optional_there", server=session.name, name=model.name)


def _relay_models(
    sessions: Sequence[ServerSession],
    models: Sequence[OptionalModel],
    args: argparse.Namespace,
    console: Console,
    cancel: threading.Event,
) -> None:
    """Fetch optional models on this computer, once, and send them to every server."""
    report = progress_reporter(console)
    for model in models:
        cache = sessions[0].app_paths.data_folder / "models" / "optional"
        sources = args.source or sessions[0].config.models.sources
        files = fetch_optional_model(model, cache, sources, report=report, cancel=cancel)
        for session in sessions:
            push(
                session.connect,
                files,
                str(session.layout().pretrained / model.folder),
                report=report,
                cancel=cancel,
                bandwidth=bandwidth_limit(session.config, args.limit),
                tuning=transfer_tuning(session.config),
            )
            console.print_message("tui.cli.optional_there", server=session.name, name=model.name)


def _files_to_send(
    session: ServerSession, args: argparse.Namespace, console: Console, cancel: threading.Event
) -> Mapping[str, Path]:
    """The files of the given folder, or the set as downloaded to this computer."""
    if args.action == "push":
        folder: Path = args.folder
        files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        if not files:
            raise Problem("tui.cli.empty_models_folder", ExitCode.DATA, folder=str(folder))
        return files

    cache = session.app_paths.data_folder / "models" / args.set
    console.print_message(
        "tui.cli.models_relaying",
        folder=str(cache),
        version=args.version,
        megabytes=megabytes(args.version),
    )
    return fetch_pretrained(
        cache,
        args.source or session.config.models.sources,
        version=args.version,
        report=progress_reporter(console),
        cancel=cancel,
        bandwidth=bandwidth_limit(session.config, args.limit),
    )


def _send_to_all(
    sessions: list[ServerSession],
    args: argparse.Namespace,
    files: Mapping[str, Path],
    console: Console,
    cancel: threading.Event,
) -> dict[str, dict[str, Any]]:
    """Upload to all servers in parallel; only the first one's progress is printed."""
    report = progress_reporter(console)

    def send(session: ServerSession) -> dict[str, Any]:
        quiet = session is not sessions[0]
        return _push_and_import(session, args, files, ignore_progress if quiet else report, cancel)

    with ThreadPoolExecutor(MAX_PARALLEL_SERVERS, thread_name_prefix="models") as pool:
        futures = {session.name: pool.submit(send, session) for session in sessions}
        try:
            return {name: future.result() for name, future in futures.items()}
        except BaseException:
            cancel.set()  # what was uploaded stays; the other uploads stop
            raise


def _push_and_import(
    session: ServerSession,
    args: argparse.Namespace,
    files: Mapping[str, Path],
    report: Report,
    cancel: threading.Event,
) -> dict[str, Any]:
    """Upload the files, let the engine import those it knows, remove the upload."""
    incoming = session.layout().pretrained / "incoming"
    push(
        session.connect,
        files,
        str(incoming),
        report=report,
        cancel=cancel,
        bandwidth=bandwidth_limit(session.config, args.limit),
        tuning=transfer_tuning(session.config),
    )
    result = _run_pretrained(session, args, ["import", str(incoming)])
    session.connection().run(["rm", "-rf", "--", str(incoming)])
    return result


def print_result(name: str, result: Mapping[str, Any], set_name: str, console: Console) -> bool:
    """Print the state of each file of a set, and return whether the set is whole."""
    for file in object_list_field(result, "files"):
        size = format_bytes(int_field(file, "bytes") or 0)
        console.print_line(f"{text_field(file, 'state'):<8} {text_field(file, 'name')}  {size}")
    complete = result.get("whole") is True
    key = "tui.cli.models_whole" if complete else "tui.cli.models_not_whole"
    console.print_message(key, set=set_name, server=name)
    console.print_json({"status": "ok" if complete else "incomplete", "server": name, **result})
    return complete


def _run_pretrained(
    session: ServerSession, args: argparse.Namespace, arguments: list[str]
) -> dict[str, Any]:
    """Run `engine pretrained` on the server; its Problem is raised here."""
    work = str(session.layout().work)
    command = ["pretrained", *arguments, "--set", args.set, "--work", work]
    command += ["--version", args.version]
    try:
        answers = run_engine_command(
            session.connection(), session.require_deployment(), command, timeout=ENGINE_TIMEOUT_S
        )
    except EngineProblem as problem:  # one of several servers, so it is named
        facts = {"server": session.name, "why": problem.message}
        raise Problem("tui.cli.models_refused", ExitCode.DATA, **facts) from problem
    return answers[-1] if answers else {}
