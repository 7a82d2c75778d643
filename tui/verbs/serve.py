"""`sovdeck serve [SERVER] [VOICE]`: speech endpoints on this computer, answered by the server."""

from __future__ import annotations

import argparse
import json

from engine.contract.problem import ExitCode, Problem
from tui.console import Console
from tui.target import add_server, open_studio, voice_of
from tui.verbs.speak import add_engine_options, engine_options

PORT = 9880  # that of GPT-SoVITS's own api_v2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument("voice", nargs="?", metavar="VOICE")
    parser.add_argument("--port", type=int, default=PORT)
    add_engine_options(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    from remote.endpoint import Endpoint

    with open_studio(args, console) as studio:
        voice = voice_of(args, studio)
        console.say("tui.serve.loading", voice=voice, server=studio.name)

        def on_change(away: Problem | None) -> None:
            if away is None:
                console.emit({"status": "open", "voice": voice, "address": address})
                console.say("tui.serve.again", voice=voice, address=address)
            else:
                console.emit({"status": "away", "voice": voice, **away.as_json()})
                why = away.message.get(console.language)
                console.say("tui.serve.away", voice=voice, why=why)

        endpoint = Endpoint(
            studio.link, studio.deployed(), voice, args.port, engine_options(args),
            on_change=on_change,
        )  # fmt: skip
        with endpoint:
            address = f"http://127.0.0.1:{endpoint.port}"
            console.emit({"status": "open", "voice": voice, "address": address})
            console.say("tui.serve.open", voice=voice, address=address)
            for line in examples(address, voice):
                console.write(line)
            console.say("tui.serve.end")
            try:
                endpoint.wait()
            except KeyboardInterrupt:
                console.say("tui.serve.ended", voice=voice, server=studio.name)
    console.emit({"status": "ok", "voice": voice})
    return int(ExitCode.OK)


def examples(address: str, voice: str) -> tuple[str, ...]:
    """Command lines that work as they are, in sh and in Windows' own shell."""
    wish = {"model": voice, "input": "Hello.", "response_format": "wav"}
    body = json.dumps(wish, ensure_ascii=False).replace('"', '\\"')
    return (
        f'  curl {address}/v1/audio/speech -H "Content-Type: application/json"'
        f' -d "{body}" -o speech.wav',
        f'  curl "{address}/tts?text=Hello.&text_lang=en" -o speech.wav',
    )
