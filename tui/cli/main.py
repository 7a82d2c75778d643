"""The `sovdeck` command: without arguments the dashboard, else one command of `commands/`.

Nothing heavy is imported here, since `sovdeck --help` must answer at once: the module of a
command is imported only when that command is called.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import threading
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TextIO

from sovdeck.engine import __version__
from sovdeck.engine.contract.catalogue import (
    LANGUAGES,
    Language,
    system_language,
    text,
    to_language,
)
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.printable import strip_controls
from sovdeck.tui.cli.console import Console, can_move_cursor
from sovdeck.tui.cli.parser import LocalizedParser

CLI_COMMANDS: dict[str, str] = {
    "demo": "sovdeck.tui.cli.commands.demo",
    "server": "sovdeck.tui.cli.commands.server",
    "rent": "sovdeck.tui.cli.commands.rent",
    "doctor": "sovdeck.tui.cli.commands.doctor",
    "deploy": "sovdeck.tui.cli.commands.deploy",
    "models": "sovdeck.tui.cli.commands.models",
    "data": "sovdeck.tui.cli.commands.data",
    "push": "sovdeck.tui.cli.commands.push",
    "train": "sovdeck.tui.cli.commands.train",
    "ps": "sovdeck.tui.cli.commands.ps",
    "logs": "sovdeck.tui.cli.commands.logs",
    "stop": "sovdeck.tui.cli.commands.stop",
    "autostop": "sovdeck.tui.cli.commands.autostop",
    "bench": "sovdeck.tui.cli.commands.bench",
    "gpu": "sovdeck.tui.cli.commands.gpu",
    "speak": "sovdeck.tui.cli.commands.speak",
    "read": "sovdeck.tui.cli.commands.read",
    "audition": "sovdeck.tui.cli.commands.audition",
    "serve": "sovdeck.tui.cli.commands.serve",
    "voices": "sovdeck.tui.cli.commands.voices",
    "pull": "sovdeck.tui.cli.commands.pull",
    "web": "sovdeck.tui.cli.commands.web",
    "ssh": "sovdeck.tui.cli.commands.ssh",
    "forward": "sovdeck.tui.cli.commands.forward",
    "notify": "sovdeck.tui.cli.commands.notify",
    "sync": "sovdeck.tui.cli.commands.sync",
    "clean": "sovdeck.tui.cli.commands.clean",
    "params": "sovdeck.tui.cli.commands.params",
    "config": "sovdeck.tui.cli.commands.config",
    "help": "sovdeck.tui.cli.commands.help",
    "completion": "sovdeck.tui.cli.commands.completion",
}


# What people write for a command before they have read its help.
OTHER_SPELLINGS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("server", "list"): ("server", "ls"),
    ("server", "remove"): ("server", "rm"),
    ("server", "delete"): ("server", "rm"),
    ("servers",): ("server", "ls"),
    ("voice", "list"): ("voices",),
    ("voice", "ls"): ("voices",),
    ("voice",): ("voices",),
    ("run", "list"): ("ps",),
    ("runs",): ("ps",),
    ("log",): ("logs",),
    ("status",): ("ps",),
    ("download",): ("pull",),
    ("upload",): ("push",),
    ("version",): ("--version",),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code of the process."""
    open_streams()
    if arguments is None:  # this process is the command
        sys.excepthook = _print_traceback
        threading.excepthook = lambda thrown: _print_traceback(*thrown[:3])
    argv = move_global_options_first(sys.argv[1:] if arguments is None else arguments)
    argv = resolve_spelling(argv)
    language = detect_language(argv)
    parser, module = build_parser(argv, language)
    args = parser.parse_args(argv)
    console = Console(json_output=getattr(args, "json", False), language=language)
    try:
        code = _run_command(module, args, console)
        # At the interpreter's end a closed pipe would be a traceback.
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader of our output (`head`, a pager) has closed: no failure.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)


def _print_traceback(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    """Print what nobody caught, as the interpreter does; its words may be a server's."""
    import traceback  # here: it is seldom needed

    lines = traceback.format_exception(kind, error, trace)
    sys.stderr.write(strip_controls("".join(lines)))
    sys.stderr.flush()


def _run_command(module: ModuleType | None, args: argparse.Namespace, console: Console) -> int:
    """Run the command, or the dashboard without one; every failure becomes one sentence."""
    try:
        if module is None:
            return open_dashboard(args, console)
        return int(module.run(args, console))
    except Problem as problem:
        if args.debug:
            raise
        console.print_problem(problem)
        return int(problem.exit_code)
    except KeyboardInterrupt:
        console.print_error(text("tui.cli.interrupted").get(console.language))
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        raise
    except Exception as error:
        if args.debug:
            raise
        console.print_error(
            text("tui.cli.internal", why=f"{type(error).__name__}: {error}").get(console.language)
        )
        return int(ExitCode.INTERNAL)


def build_parser(
    argv: Sequence[str], language: Language
) -> tuple[argparse.ArgumentParser, ModuleType | None]:
    """The parser and the module of the command in `argv`; only that one gets its options."""
    parser = LocalizedParser(
        language=language,
        prog="sovdeck",
        description=text("tui.cli.description").get(language),
        epilog=text("tui.cli.epilog").get(language),
    )
    parser.add_argument("--version", action="version", version=f"sovdeck {__version__}")
    parser.add_argument("--config", type=Path, help=text("tui.cli.config_help").get(language))
    parser.add_argument("--lang", choices=LANGUAGES, help=text("tui.cli.lang_help").get(language))
    parser.add_argument(
        "--debug", action="store_true", help=text("tui.cli.debug_help").get(language)
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    chosen = find_command(argv)
    module = importlib.import_module(CLI_COMMANDS[chosen]) if chosen else None
    for command in CLI_COMMANDS:
        subparser = subparsers.add_parser(
            command,
            help=text(f"tui.cli.command_{command}").get(language),
            description=text(f"tui.cli.command_{command}").get(language),
        )
        if command == chosen and module is not None:
            module.add_arguments(subparser)
    return parser, module


def move_global_options_first(argv: Sequence[str]) -> list[str]:
    """Move `--config`, `--lang` and `--debug` to the front, where argparse expects them.

    They may stand anywhere before `--`.
    """
    end = argv.index("--") if "--" in argv else len(argv)
    first: list[str] = []
    rest: list[str] = []
    arguments = iter(argv[:end])
    for argument in arguments:
        name, _, value = argument.partition("=")
        if argument == "--debug":
            first.append(argument)
        elif name not in ("--config", "--lang"):
            rest.append(argument)
        elif value := value if "=" in argument else next(arguments, ""):
            first += [name, value]
        else:
            rest.append(argument)
    return [*first, *rest, *argv[end:]]


def resolve_spelling(argv: Sequence[str]) -> list[str]:
    """The arguments with a command as people also write it replaced by its name."""
    words = list(argv)
    position = next(
        (
            at
            for at, word in enumerate(words)
            if not word.startswith("-") and (at == 0 or words[at - 1] not in ("--config", "--lang"))
        ),
        len(words),
    )
    for length in (2, 1):
        name = OTHER_SPELLINGS.get(tuple(words[position : position + length]))
        if name is not None:
            return [*words[:position], *name, *words[position + length :]]
    return words


def find_command(argv: Sequence[str]) -> str | None:
    """The first argument that names a command and is not the value of an option."""
    for previous, argument in zip(("", *argv), argv, strict=False):
        if argument in CLI_COMMANDS and previous not in ("--config", "--lang"):
            return argument
    return None


def detect_language(argv: Sequence[str]) -> Language:
    """`--lang`, else the system's language where its console can write it, else English."""
    if "--lang" in argv[:-1]:
        return to_language(argv[argv.index("--lang") + 1])
    language = system_language(os.environ)
    return language if _can_write(language, sys.stdout) else "en"


def _can_write(language: Language, stream: TextIO) -> bool:
    try:
        text("tui.cli.description").get(language).encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def open_streams() -> None:
    """Make the standard streams usable on any console.

    A closed one leads nowhere, and a character that its encoding lacks is written as its number.
    """
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115  for the whole process
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  as above
            setattr(sys, name, nowhere)
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def open_dashboard(args: argparse.Namespace, console: Console) -> int:
    """Open the dashboard; Problem when standard input or output is no terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty() and can_move_cursor()):
        raise Problem("tui.cli.no_terminal", ExitCode.CONFIG)
    # Here, since `sovdeck --help` must not load Textual.
    from sovdeck.tui.dashboard.open_dashboard import open_dashboard as start

    return start(args.config, args.lang)


if __name__ == "__main__":
    sys.exit(main())
