"""`sovdeck serve [SERVER] [VOICE] [SERVER ...]`: speech endpoints here, served by the servers."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import threading
from collections.abc import Sequence

from sovdeck.engine.contract.number_options import PORT_RANGE, amount, whole
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.keyring_store import SystemKeyring
from sovdeck.remote.secret import Secret
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.http_endpoint import HttpEndpoint, is_loopback
from sovdeck.remote.speech.kept_endpoint import KeptEndpoint, OnChange
from sovdeck.remote.speech.voice_router import VoiceRouter
from sovdeck.remote.voices.listing import list_voices
from sovdeck.tui.cli.commands.speak import add_engine_options, engine_options
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.prompts import TerminalDialog
from sovdeck.tui.cli.serve_token import find_token
from sovdeck.tui.cli.server_argument import (
    add_server_argument,
    open_named_sessions,
    open_session,
    read_server_names,
    require_voice,
)

PORT = 9880  # the port of GPT-SoVITS's api_v2
LOOPBACK = "127.0.0.1"
KEPT_TAKES_MB = 200.0
POLL_S = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck serve`."""
    add_server_argument(parser)
    parser.add_argument("voice", nargs="?", metavar="VOICE")
    parser.add_argument("others", nargs="*", metavar="SERVER")
    parser.add_argument("--also", action="append", default=[], metavar="SERVER")
    parser.add_argument("--port", type=whole(*PORT_RANGE), default=PORT)
    parser.add_argument("--bind", default=LOOPBACK, metavar="ADDRESS")
    parser.add_argument("--token", action="store_true")
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME")
    parser.add_argument("--allow-origin", action="append", default=[], metavar="URL")
    parser.add_argument("--keep-takes", type=amount(0, 1e7), default=KEPT_TAKES_MB, metavar="MB")
    parser.add_argument("--memory", type=amount(0.1, 10_000), metavar="GIB")
    add_engine_options(parser)


def serve_options(args: argparse.Namespace) -> list[str]:
    """The options of `engine serve` that say who may ask, and what is kept."""
    options = engine_options(args)
    for name in args.allow_host:
        options += ["--allow-host", name]
    for origin in args.allow_origin:
        options += ["--allow-origin", origin]
    if not is_loopback(args.bind):
        options += ["--allow-host", socket.gethostname()]
    options += ["--keep-takes", f"{args.keep_takes:g}"]
    return options + ([] if args.memory is None else ["--memory", f"{args.memory:g}"])


def run(args: argparse.Namespace, console: Console) -> int:
    """Serve until Ctrl-C."""
    options = serve_options(args)
    dialog = TerminalDialog(console)
    token = None
    if args.token or not is_loopback(args.bind):
        token = find_token(os.environ, SystemKeyring(), dialog)
        if token is None:
            raise Problem("remote.speak.needs_token", ExitCode.CONFIG, address=args.bind)
    with contextlib.ExitStack() as opened:
        session = opened.enter_context(open_session(args, console, dialog))
        others = find_others(args, session, console)
        if not others:
            return serve_one(args, session, options, token, console)
        sessions = [session, *open_named_sessions(args, console, others, dialog)]
        for one in sessions[1:]:
            opened.enter_context(one)
        return serve_several(args, sessions, options, token, console)


def find_others(args: argparse.Namespace, session: ServerSession, console: Console) -> list[str]:
    """The servers after the first one; where VOICE is one of them, `args.voice` is None after.

    A name that the first server's voice and a saved server share is the voice's; where the first
    one cannot be asked now, the server's.
    """
    others = [*args.others, *args.also]
    if args.voice and args.voice in read_server_names(args):
        try:
            is_voice = args.voice in list_voices(session.connection(), session.layout())
        except Problem as problem:
            if problem.exit_code is not ExitCode.UNREACHABLE:
                raise
            is_voice = False
        if is_voice:
            console.print_message("tui.serve.voice_not_server", name=args.voice)
        else:
            others.insert(0, args.voice)
            args.voice = None
    return [name for name in dict.fromkeys(others) if name != session.name]


def serve_one(
    args: argparse.Namespace,
    session: ServerSession,
    options: list[str],
    token: Secret | None,
    console: Console,
) -> int:
    """Serve the voices of one server."""
    voice = require_voice(args, session)
    console.print_message("tui.serve.loading", voice=voice, server=session.name)

    def on_change(problem: Problem | None) -> None:
        if problem is None:
            console.print_json({"status": "open", "voice": voice, "address": address})
            console.print_message("tui.serve.again", voice=voice, address=address)
        else:
            print_away(problem, voice, console)

    endpoint = HttpEndpoint(
        session.connection,
        session.require_deployment(),
        voice,
        args.port,
        options,
        address=args.bind,
        token=token,
        on_change=on_change,
    )
    with endpoint:
        address = f"http://{shown_address(args.bind)}:{endpoint.port}"
        print_open(args, voice, address, token, console)
        try:
            endpoint.wait()
        except KeyboardInterrupt:
            console.print_message("tui.serve.ended", voice=voice, server=session.name)
    console.print_json({"status": "ok", "voice": voice})
    return int(ExitCode.OK)


def serve_several(
    args: argparse.Namespace,
    sessions: Sequence[ServerSession],
    options: list[str],
    token: Secret | None,
    console: Console,
) -> int:
    """Serve the voices of several servers at one address; one asked for first is loaded then.

    A server that is away takes only its own voices along; Problem when all are away at the start.
    """
    if not is_loopback(args.bind):
        options = [*options, "--any-address"]
    wanted = args.voice or sessions[0].config.train.voice
    first_voices: dict[str, str] = {}

    def keep(session: ServerSession) -> KeptEndpoint:
        is_first = session is sessions[0]
        console.print_message("tui.serve.opening", server=session.name)

        def open_endpoint(on_change: OnChange) -> HttpEndpoint:
            there = list_voices(session.connection(), session.layout())
            named = wanted if is_first and wanted else next(iter(there), "")
            if not named:
                raise Problem("remote.speak.no_voices", ExitCode.DATA, server=session.name)
            first_voices[session.name] = named
            more = [] if is_first and args.voice else ["--on-demand"]
            deployed, every = session.require_deployment(), [*options, *more]
            return HttpEndpoint(
                session.connection, deployed, named, 0, every, token=token, on_change=on_change
            )

        def on_change(problem: Problem | None) -> None:
            print_change(problem, session.name, address, console)

        return KeptEndpoint(session.name, open_endpoint, on_change)

    with contextlib.ExitStack() as opened:
        # Our port first: when it is taken, no model is loaded for it.
        router = opened.enter_context(VoiceRouter(args.port, address=args.bind))
        address = f"http://{shown_address(args.bind)}:{router.port}"
        servers = [opened.enter_context(keep(session)).server for session in sessions]
        if servers[0].problem is not None and all(one.problem for one in servers):
            raise servers[0].problem
        router.start(servers, token)
        names = [one.name for one in servers]
        voice = next(first_voices[one.name] for one in servers if one.name in first_voices)
        print_open(args, voice, address, token, console, servers=names)
        with contextlib.suppress(KeyboardInterrupt):
            wait_for_ctrl_c()
    console.print_message("tui.serve.ended_all", servers=", ".join(names))
    console.print_json({"status": "ok", "voice": voice, "servers": names})
    return int(ExitCode.OK)


def wait_for_ctrl_c() -> None:
    """Wait for ever; KeyboardInterrupt ends it."""
    never = threading.Event()
    while not never.wait(POLL_S):
        pass  # with a deadline: Windows notices no Ctrl-C in an endless wait


def print_change(problem: Problem | None, server: str, address: str, console: Console) -> None:
    """Say that the voices of one of several servers are away, and why, or that they are back."""
    if problem is None:
        console.print_json({"status": "back", "server": server, "address": address})
        console.print_message("tui.serve.server_again", server=server)
        return
    console.print_json({"status": "away", "server": server, **problem.as_json()})
    why = problem.message.get(console.language)
    console.print_message("tui.serve.server_away", server=server, why=why)


def print_away(problem: Problem, voice: str, console: Console) -> None:
    """Say why requests are answered 503 for now."""
    console.print_json({"status": "away", "voice": voice, **problem.as_json()})
    why = problem.message.get(console.language)
    console.print_message("tui.serve.away", voice=voice, why=why)


def print_open(
    args: argparse.Namespace,
    voice: str,
    address: str,
    token: Secret | None,
    console: Console,
    servers: Sequence[str] = (),
) -> None:
    """Say where the voice answers, and what to try."""
    more = {"servers": list(servers)} if servers else {}
    console.print_json({"status": "open", "voice": voice, "address": address, **more})
    where = "open" if is_loopback(args.bind) else "open_to_others"
    console.print_message(f"tui.serve.{where}", voice=voice, address=address)
    for line in curl_examples(address, voice, token is not None):
        console.print_line(line)
    if servers:
        console.print_message("tui.serve.all_voices", servers=", ".join(servers), address=address)
    console.print_message("tui.serve.end")


def shown_address(bind: str) -> str:
    """The address as a client on this computer writes it."""
    if bind in ("0.0.0.0", "::"):  # noqa: S104  what a person asked for
        return LOOPBACK
    return f"[{bind}]" if ":" in bind else bind


def curl_examples(address: str, voice: str, needs_token: bool = False) -> tuple[str, ...]:
    """Commands that work unchanged in sh and in the Windows shell.

    A token is named, not shown.
    """
    header = ' -H "Authorization: Bearer TOKEN"' if needs_token else ""
    request = {"model": voice, "input": "Hello.", "response_format": "wav"}
    body = json.dumps(request, ensure_ascii=False).replace('"', '\\"')
    return (
        f'  curl {address}/v1/audio/speech{header} -H "Content-Type: application/json"'
        f' -d "{body}" -o speech.wav',
        f'  curl{header} "{address}/tts?text=Hello.&text_lang=en" -o speech.wav',
    )
