"""The engine's command line. Each command is a module with NAME, HELP, add_arguments and run.

Command modules import their heavy parts inside `run`, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import traceback
from collections.abc import Iterable, Sequence
from types import ModuleType

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.runtime.console import output_language

# In the order in which `--help` lists them.
_COMMANDS = (
    "sovdeck.engine.commands.doctor",
    "sovdeck.engine.commands.check",
    "sovdeck.engine.commands.run",
    "sovdeck.engine.commands.gather",
    "sovdeck.engine.commands.summary",
    "sovdeck.engine.commands.report",
    "sovdeck.engine.commands.plan",
    "sovdeck.engine.commands.bench",
    "sovdeck.engine.commands.prepare",
    "sovdeck.engine.commands.train",
    "sovdeck.engine.commands.worker",
    "sovdeck.engine.commands.phones",
    "sovdeck.engine.commands.speak",
    "sovdeck.engine.commands.voice_assets",
    "sovdeck.engine.commands.audition",
    "sovdeck.engine.commands.read",
    "sovdeck.engine.commands.books",
    "sovdeck.engine.commands.serve",
    "sovdeck.engine.commands.pack",
    "sovdeck.engine.commands.inspect",
    "sovdeck.engine.commands.convert",
    "sovdeck.engine.commands.pretrained",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a Problem is printed to stderr as one sentence."""
    modules = {module.NAME: module for module in map(importlib.import_module, _COMMANDS)}
    args = _build_parser(modules.values()).parse_args(argv)
    try:
        code: int = modules[args.command].run(args)
    except Problem as problem:
        if args.debug:
            traceback.print_exc()
        if args.json:
            failure = {"exit_code": int(problem.exit_code), **problem.as_json()}
            print(json.dumps({"status": "failed", **failure}, ensure_ascii=False))
        print(problem.sentence(output_language()), file=sys.stderr)
        return int(problem.exit_code)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    return code


def _build_parser(modules: Iterable[ModuleType]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sovdeck.engine", description=__doc__.split(".")[0]
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in modules:
        command = commands.add_parser(module.NAME, help=module.HELP, description=module.HELP)
        command.add_argument("--json", action="store_true", help="print one JSON object")
        command.add_argument("--debug", action="store_true", help="show tracebacks")
        module.add_arguments(command)
    return parser
