"""`doctor`: is this machine fit to train."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from engine.contract.problem import ExitCode

NAME = "doctor"
HELP = "check Python, torch, GPUs, disk, memory and pretrained sets of this machine"
_MARKS = {"good": "+", "warning": "!", "bad": "x"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--work", type=Path, default=Path(), help="work folder (default: here)")


def run(args: argparse.Namespace) -> int:
    from engine.cli import language
    from engine.doctor import examine

    findings = examine(args.work.resolve())
    failed = any(finding.state == "bad" for finding in findings)
    if args.json:
        listed = [finding.as_json() for finding in findings]
        status = "failed" if failed else "succeeded"
        print(json.dumps({"status": status, "findings": listed}, ensure_ascii=False))
    else:
        for finding in findings:
            advice = "" if finding.state == "good" else finding.advice.get(language())
            print(f"{_MARKS[finding.state]} {finding.name:14} {finding.value}  {advice}".rstrip())
    return int(ExitCode.CONFIG if failed else ExitCode.OK)
