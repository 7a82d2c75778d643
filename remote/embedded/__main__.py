"""The embedded server as a process of its own.

    python -m sovdeck.remote.embedded --ready FILE --authorized-key FILE [--home DIR] [--host ::1]

Runs unprivileged until its standard input closes, so that it never outlives its parent. The
ready file is written by rename once the port is bound:
`{"host": "::1", "port": 43121, "fingerprint": "SHA256:...", "pid": 4711}`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.remote.embedded.server import start_server


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sovdeck.remote.embedded", description=__doc__)
    parser.add_argument("--ready", type=Path, required=True, help="file that says where we listen")
    parser.add_argument("--authorized-key", type=Path, required=True, help="the one public key")
    parser.add_argument("--host", default="", help="::1, else 127.0.0.1 where there is no IPv6")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--home", type=Path, default=Path.home(), help="home folder of the login")
    parser.add_argument("--no-sftp", action="store_true", help="behave like a proxy without SFTP")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    authorized_key = arguments.authorized_key.read_text(encoding="utf-8")
    ready = arguments.ready.absolute()
    os.chdir(arguments.home)  # relative SFTP paths start at home, as OpenSSH's do
    server = await start_server(
        authorized_key,
        host=arguments.host,
        port=arguments.port,
        home=arguments.home,
        sftp=not arguments.no_sftp,
    )
    facts = {
        "host": server.host,
        "port": server.port,
        "fingerprint": server.fingerprint,
        "pid": os.getpid(),
    }
    write_atomic(ready, json.dumps(facts).encode(), mode=0o600)
    # A thread: pipes cannot be awaited on Windows.
    await asyncio.to_thread(_wait_for_parent)
    server.close()


def _wait_for_parent() -> None:
    while sys.stdin.buffer.read(4096):
        pass


asyncio.run(_serve(_arguments()))
