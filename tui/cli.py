"""The `sovdeck` command. Alone it opens the dashboard; with a verb it does one thing.

Nothing heavy is imported here: `sovdeck --help` must answer at once, so each verb's module is
imported only when it is the one asked for.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from engine import __version__
from engine.contract.catalogue import Language, text
from engine.contract.problem import ExitCode, Problem
from tui.console import Console
from tui.options import Parser

VERBS: dict[str, str] = {
    "demo": "tui.verbs.demo",
    "server": "tui.verbs.server",
    "doctor": "tui.verbs.doctor",
    "deploy": "tui.verbs.deploy",
    "models": "tui.verbs.models",
    "data": "tui.verbs.data",
    "push": "tui.verbs.push",
    "train": "tui.verbs.train",
    "ps": "tui.verbs.ps",
    "logs": "tui.verbs.logs",
    "stop": "tui.verbs.stop",
    "autostop": "tui.verbs.autostop",
    "gpu": "tui.verbs.gpu",
    "speak": "tui.verbs.speak",
    "audition": "tui.verbs.audition",
    "serve": "tui.verbs.serve",
    "pull": "tui.verbs.pull",
    "web": "tui.verbs.web",
    "ssh": "tui.verbs.ssh",
    "forward": "tui.verbs.forward",
    "notify": "tui.verbs.notify",
    "sync": "tui.verbs.sync",
    "params": "tui.verbs.params",
    "config": "tui.verbs.config",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the return value is the process's exit code."""
    given = common_first(sys.argv[1:] if arguments is None else arguments)
    language = chosen_language(given)
    parser, module = build_parser(given, language)
    args = parser.parse_args(given)
    console = Console(json_output=getattr(args, "json", False), language=language)
    try:
        code = _answer(module, args, console)
        # Here, not at the interpreter's end, where a reader who left would be a traceback.
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader of our output (`head`, a closed pager) left: that is its right.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)


def _answer(module: ModuleType | None, args: argparse.Namespace, console: Console) -> int:
    """Run the verb, or the dashboard without one; whatever goes wrong is one sentence."""
    try:
        if module is None:
            return open_dashboard(args, console)
        return int(module.run(args, console))
    except Problem as problem:
        if args.debug:
            raise
        console.problem(problem)
        return int(problem.exit_code)
    except KeyboardInterrupt:
        console.error(text("tui.cli.interrupted").get(console.language))
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        raise
    except Exception as error:
        if args.debug:
            raise
        console.error(
            text("tui.cli.internal", why=f"{type(error).__name__}: {error}").get(console.language)
        )
        return int(ExitCode.INTERNAL)


def build_parser(
    given: Sequence[str], language: Language
) -> tuple[argparse.ArgumentParser, ModuleType | None]:
    """The parser, with arguments only for the verb that `given` asks for, and its module."""
    parser = Parser(
        language=language,
        prog="sovdeck",
        description=text("tui.cli.description").get(language),
        epilog=text("tui.cli.epilog").get(language),
    )
    parser.add_argument("--version", action="version", version=f"sovdeck {__version__}")
    parser.add_argument("--config", type=Path, help=text("tui.cli.config_help").get(language))
    parser.add_argument(
        "--lang", choices=("en", "zh"), help=text("tui.cli.lang_help").get(language)
    )
    parser.add_argument(
        "--debug", action="store_true", help=text("tui.cli.debug_help").get(language)
    )
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB")
    wanted = asked_verb(given)
    module = importlib.import_module(VERBS[wanted]) if wanted else None
    for verb in VERBS:
        sub = subparsers.add_parser(
            verb,
            help=text(f"tui.cli.verb_{verb}").get(language),
            description=text(f"tui.cli.verb_{verb}").get(language),
        )
        if verb == wanted and module is not None:
            module.add_arguments(sub)
    return parser, module


def common_first(given: Sequence[str]) -> list[str]:
    """Options of the command itself may stand anywhere before `--`; argparse wants them first."""
    end = given.index("--") if "--" in given else len(given)
    first: list[str] = []
    rest: list[str] = []
    words = iter(given[:end])
    for word in words:
        name, _, value = word.partition("=")
        if word == "--debug":
            first.append(word)
        elif name not in ("--config", "--lang"):
            rest.append(word)
        elif value := value if "=" in word else next(words, ""):
            first += [name, value]
        else:
            rest.append(word)
    return [*first, *rest, *given[end:]]


def asked_verb(given: Sequence[str]) -> str | None:
    """The first word that is a verb and not the value of an option."""
    for before, word in zip(("", *given), given, strict=False):
        if word in VERBS and before not in ("--config", "--lang"):
            return word
    return None


def chosen_language(given: Sequence[str]) -> Language:
    """`--lang`, else SOVDECK_LANG, else the system's language where it is Chinese."""
    if "--lang" in given[:-1]:
        return "zh" if given[given.index("--lang") + 1] == "zh" else "en"
    names = ("SOVDECK_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    setting = next((os.environ[name] for name in names if os.environ.get(name)), "")
    return "zh" if setting.lower().startswith("zh") else "en"


def open_dashboard(args: argparse.Namespace, console: Console) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Problem("tui.cli.no_terminal", ExitCode.CONFIG)
    from tui.services.live import open_dashboard as start

    return start(args.config, console.language)


if __name__ == "__main__":
    sys.exit(main())
