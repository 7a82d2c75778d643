"""The engine's commands. Each is a module with NAME, HELP, add_arguments and run.

Command modules import their heavy parts inside `run`, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from types import ModuleType

from engine.contract.catalogue import Language
from engine.contract.problem import ExitCode, Problem

# In the order a person meets them.
_COMMANDS = (
    "engine.commands.doctor",
    "engine.commands.run",
    "engine.commands.gather",
    "engine.commands.report",
    "engine.commands.plan",
    "engine.commands.prepare",
    "engine.commands.train",
    "engine.commands.worker",
    "engine.speaking.commands",
    "engine.speaking.shelf_command",
    "engine.speaking.audition_command",
    "engine.speaking.http_command",
    "engine.commands.pack",
    "engine.commands.inspect",
    "engine.commands.convert",
    "engine.commands.pretrained",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. A Problem becomes one sentence on stderr."""
    modules = {module.NAME: module for module in map(importlib.import_module, _COMMANDS)}
    args = _parser(modules.values()).parse_args(argv)
    try:
        code: int = modules[args.command].run(args)
    except Problem as problem:
        if args.debug:
            traceback.print_exc()
        if args.json:
            print(json.dumps({"status": "failed", **problem.as_json()}, ensure_ascii=False))
        print(problem.sentence(language()), file=sys.stderr)
        return int(problem.exit_code)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    return code


def language() -> Language:
    """The language of sentences: SOVDECK_LANG, else the locale's."""
    wanted = os.environ.get("SOVDECK_LANG") or os.environ.get("LANG", "")
    return "zh" if wanted.lower().startswith("zh") else "en"


def remark(notice: Problem | None) -> None:
    """Say on stderr what the user should know although the command goes on."""
    if notice is not None:
        print(notice.sentence(language()), file=sys.stderr)


def _parser(modules: Iterable[ModuleType]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine", description=__doc__.split(".")[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in modules:
        command = commands.add_parser(module.NAME, help=module.HELP, description=module.HELP)
        command.add_argument("--json", action="store_true", help="print one JSON object")
        command.add_argument("--debug", action="store_true", help="show tracebacks")
        module.add_arguments(command)
    return parser
