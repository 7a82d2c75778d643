"""`sovdeck data check PATH`: what a dataset is worth, before any money burns. No torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.contract.problem import ExitCode
from tui.console import Console, duration
from tui.target import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check")
    check.add_argument("path", metavar="PATH", type=Path)
    check.add_argument("--wavs", type=Path)
    check.add_argument("--strict", action="store_true")
    add_json(check)


def run(args: argparse.Namespace, console: Console) -> int:
    from engine.contract.dataset.check import check_clips
    from engine.contract.dataset.items import list_in, read_items
    from engine.contract.dataset.report import make_report
    from engine.contract.dataset.wav import measure_wav

    source = list_in(args.path)
    beside = source.parent / "wavs"
    wavs = args.wavs or (beside if beside.is_dir() else None)
    checked = check_clips(read_items(source, wavs), measure_wav)
    if args.strict:
        checked.manifest.refuse_problems()
    manifest, report = checked.manifest, make_report(checked)
    for level, problems in (("problem", manifest.problems), ("note", manifest.notes)):
        for problem in problems:
            console.emit({"level": level, **problem.as_json()})
    console.emit({"report": report.as_json()})
    for line in report.lines(console.language):
        console.write(line)
    seconds = sum(facts.seconds for facts in checked.facts.values())
    languages = sorted({item.language for item in manifest.items})
    console.say(
        "tui.cli.data_summary", clips=len(manifest.items), duration=duration(seconds),
        languages=", ".join(languages) or "-", problems=len(manifest.problems),
    )  # fmt: skip
    good = bool(manifest.items) and not manifest.problems
    console.emit(
        {
            "status": "ok" if good else "problems", "clips": len(manifest.items),
            "seconds": round(seconds, 2), "languages": languages,
            "problems": len(manifest.problems), "notes": len(manifest.notes),
        }
    )  # fmt: skip
    return 0 if good else int(ExitCode.DATA)
