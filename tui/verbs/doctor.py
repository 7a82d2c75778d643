"""`sovdeck doctor [SERVER]`: one round trip, then a verdict in plain words with what to do."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from tui.console import Console
from tui.target import add_server, open_studio


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    from remote.verdict import verdict

    with open_studio(args, console) as studio:
        facts = studio.facts(check_sftp=True)
        found = verdict(facts, studio.link().spec.host)
    for finding in found:
        console.write(f"{finding.level:<7} {finding.message.get(console.language)}")
        if finding.hint.get(console.language):
            console.write(f"        {finding.hint.get(console.language)}")
    console.emit(
        {
            "status": "ok", "facts": asdict(facts),
            "verdict": [
                {"level": r.level, "message": r.message.as_json(), "hint": r.hint.as_json()}
                for r in found
            ],
        }
    )  # fmt: skip
    return 0
