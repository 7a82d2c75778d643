"""`sovdeck serve [SERVER] [VOICE]`: speech endpoints on this computer, served by the server."""

from __future__ import annotations

import argparse
import json
import os
import socket

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.keyring_store import SystemKeyring
from sovdeck.remote.speech.http_endpoint import HttpEndpoint, is_loopback
from sovdeck.tui.cli.commands.speak import add_engine_options, engine_options
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.prompts import TerminalDialog
from sovdeck.tui.cli.serve_token import find_token
from sovdeck.tui.cli.server_argument import add_server_argument, open_session, require_voice

PORT = 9880  # the port of GPT-SoVITS's api_v2
LOOPBACK = "127.0.0.1"
KEPT_TAKES_MB = 200.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck serve`."""
    add_server_argument(parser)
    parser.add_argument("voice", nargs="?", metavar="VOICE")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--bind", default=LOOPBACK, metavar="ADDRESS")
    parser.add_argument("--token", action="store_true")
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME")
    parser.add_argument("--allow-origin", action="append", default=[], metavar="URL")
    parser.add_argument("--keep-takes", type=float, default=KEPT_TAKES_MB, metavar="MB")
    parser.add_argument("--memory", type=float, metavar="GIB")
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
    with open_session(args, console, dialog) as session:
        voice = require_voice(args, session)
        console.print_message("tui.serve.loading", voice=voice, server=session.name)

        def on_change(problem: Problem | None) -> None:
            if problem is None:
                console.print_json({"status": "open", "voice": voice, "address": address})
                console.print_message("tui.serve.again", voice=voice, address=address)
            else:
                console.print_json({"status": "away", "voice": voice, **problem.as_json()})
                why = problem.message.get(console.language)
                console.print_message("tui.serve.away", voice=voice, why=why)

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
            console.print_json({"status": "open", "voice": voice, "address": address})
            where = "open" if is_loopback(args.bind) else "open_to_others"
            console.print_message(f"tui.serve.{where}", voice=voice, address=address)
            for line in curl_examples(address, voice, token is not None):
                console.print_line(line)
            console.print_message("tui.serve.end")
            try:
                endpoint.wait()
            except KeyboardInterrupt:
                console.print_message("tui.serve.ended", voice=voice, server=session.name)
    console.print_json({"status": "ok", "voice": voice})
    return int(ExitCode.OK)


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
