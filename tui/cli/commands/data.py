"""`sovdeck data`: what a dataset is worth, before any money burns, and how a text is read."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.dataset.encoding import convert_list
from sovdeck.engine.contract.dataset.items import find_list_file
from sovdeck.engine.contract.dataset.report import make_report
from sovdeck.engine.contract.format import format_short_duration
from sovdeck.engine.contract.problem import ExitCode
from sovdeck.engine.contract.speak_table import LANGUAGE_MODES
from sovdeck.tui.cli.check_list import check_list
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.parser import add_json_option
from sovdeck.tui.cli.server_argument import add_server_argument, open_session

READ_TIMEOUT_S = 120.0  # a cold disk and every dictionary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `sovdeck data`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check")
    check.add_argument("path", metavar="PATH", type=Path)
    check.add_argument("--wavs", type=Path)
    check.add_argument("--strict", action="store_true")
    add_json_option(check)
    convert = actions.add_parser("convert")
    convert.add_argument("path", metavar="PATH", type=Path)
    add_json_option(convert)
    read = actions.add_parser("read")
    add_server_argument(read)
    read.add_argument("text", metavar="TEXT")
    read.add_argument("--language", default="auto", choices=LANGUAGE_MODES)
    read.add_argument("--voice", metavar="VOICE")


def run(args: argparse.Namespace, console: Console) -> int:
    """Do the action that was named."""
    actions = {"check": _check, "convert": _convert, "read": _read}
    return actions[args.action](args, console)


def _convert(args: argparse.Namespace, console: Console) -> int:
    """Rewrite a list as UTF-8; a copy of it stays beside it."""
    source = find_list_file(args.path)
    encoding, backup = convert_list(source)
    facts = {"file": str(source), "encoding": encoding, "backup": str(backup)}
    console.print_message("tui.cli.list_converted", **facts)
    console.print_json({"status": "ok", **facts})
    return int(ExitCode.OK)


def _read(args: argparse.Namespace, console: Console) -> int:
    """Ask the server how it reads a text: there are the dictionaries."""
    # Here: Paramiko takes long to import, and `data check` needs no server.
    from sovdeck.remote.speech.json_lines import run_engine_command

    with open_session(args, console) as session:
        deployed = session.require_deployment()
        command = ["phones", "--language", args.language, "--work", str(deployed.layout.work)]
        command += ["--voice", args.voice] if args.voice else []
        answers = run_engine_command(
            session.connection(),
            deployed,
            [*command, f"--text={args.text}"],
            timeout=READ_TIMEOUT_S,
        )
    for answer in answers:
        print_reading(answer, console)
    return int(ExitCode.OK)


def print_reading(answer: Mapping[str, Any], console: Console) -> None:
    """Print the pieces of a text with their phones, and what has no sound."""
    from sovdeck.remote.speech.json_lines import (
        int_field,
        object_list_field,
        text_field,
        text_list_field,
    )

    console.print_json(answer)
    for piece in object_list_field(answer, "pieces"):
        console.print_line(f"{text_field(piece, 'language')}  {text_field(piece, 'text')}")
        console.print_line(f"    {' '.join(text_list_field(piece, 'phones'))}")
    lost = object_list_field(answer, "lost")
    if lost and not console.json_output:  # the object names them already
        named = ", ".join(
            f"{text_field(one, 'char')} ({(int_field(one, 'index') or 0) + 1})" for one in lost
        )
        console.print_message("tui.cli.data_unread", count=len(lost), characters=named)


def _check(args: argparse.Namespace, console: Console) -> int:
    """Print the dataset report; exit code DATA when a clip is unusable or none is left."""
    source = find_list_file(args.path)
    checked = check_list(source, args.wavs, console)
    if args.strict:
        checked.manifest.raise_problems()
    manifest, report = checked.manifest, make_report(checked)
    for level, problems in (("problem", manifest.problems), ("note", manifest.notes)):
        for problem in problems:
            console.print_json({"level": level, **problem.as_json()})
    console.print_json({"report": report.as_json()})
    for line in report.format_lines(console.language):
        console.print_line(line)
    seconds = sum(facts.seconds for facts in checked.measurements.values())
    languages = sorted({item.language for item in manifest.items})
    console.print_message(
        "tui.cli.data_summary",
        clips=len(manifest.items),
        duration=format_short_duration(seconds),
        languages=", ".join(languages) or "-",
        problems=len(manifest.problems),
    )
    good = bool(manifest.items) and not manifest.problems
    console.print_json(
        {
            "status": "ok" if good else "problems",
            "clips": len(manifest.items),
            "seconds": round(seconds, 2),
            "languages": languages,
            "problems": len(manifest.problems),
            "notes": len(manifest.notes),
        }
    )
    return 0 if good else int(ExitCode.DATA)
