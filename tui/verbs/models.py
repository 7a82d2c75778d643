"""`sovdeck models get|push|relay|verify [SERVER...]`: the weights training starts from."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.contract.problem import ExitCode, Problem
from tui.console import Console, size
from tui.moving import add_limit, interruptible, limit, show_progress, tuning
from tui.target import add_server, open_studio

if TYPE_CHECKING:
    from remote.studio import Studio
    from remote.transfer.progress import Progress, Report

LIMIT_S = 4 * 3600.0  # a slow hub and 1.3 GB
AT_ONCE = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("get", "push", "relay", "verify"))
    add_server(parser, many=True)
    parser.add_argument("--from", type=Path, dest="folder", metavar="FOLDER")
    parser.add_argument("--set")
    parser.add_argument("--source", action="append", default=[], metavar="URL")
    add_limit(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    if args.action == "push" and args.folder is None:
        raise Problem("tui.cli.no_models_folder", ExitCode.CONFIG)
    with _studios(args, console) as studios, interruptible() as cancel:
        config = studios[0].config
        args.set = args.set or config.models.set
        if args.action in ("push", "relay"):
            files = _files(studios[0], args, console, cancel)
            answers = _send(studios, args, files, console, cancel)
        else:
            sources = [w for url in args.source or config.models.sources for w in ("--source", url)]
            answers = {}
            for studio in studios:
                if args.action == "get":
                    console.say("tui.cli.models_fetching", server=studio.name)
                answers[studio.name] = _ask(studio, args, [args.action, *sources])
    whole = [_tell(name, answer, args, console) for name, answer in answers.items()]
    return 0 if all(whole) or args.action == "push" else int(ExitCode.DATA)


@contextmanager
def _studios(args: argparse.Namespace, console: Console) -> Iterator[list[Studio]]:
    """All named servers; each is asked whatever it must be asked before bytes move."""
    with ExitStack() as stack:
        opened = []
        for name in args.server or [None]:
            one = argparse.Namespace(**{**vars(args), "server": name})
            opened.append(stack.enter_context(open_studio(one, console)))
        for studio in opened:
            studio.deployed()
        yield opened


def _files(
    studio: Studio, args: argparse.Namespace, console: Console, cancel: threading.Event
) -> Mapping[str, Path]:
    """What is sent: the given folder, or the set as fetched here once."""
    if args.action == "push":
        folder: Path = args.folder
        files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        if not files:
            raise Problem("tui.cli.empty_models_folder", ExitCode.DATA, folder=str(folder))
        return files
    from remote.models_relay import gather

    cache = studio.places.data / "models" / args.set
    console.say("tui.cli.models_relaying", folder=str(cache))
    return gather(
        cache, args.source or studio.config.models.sources, report=show_progress(console),
        cancel=cancel, bandwidth=limit(studio.config, args.limit),
    )  # fmt: skip


def _send(
    studios: list[Studio], args: argparse.Namespace, files: Mapping[str, Path], console: Console,
    cancel: threading.Event,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Send to all at once; only one server's progress is drawn, or the lines would fight."""
    shown = show_progress(console)

    def one(studio: Studio) -> dict[str, Any]:
        quiet = studio is not studios[0]
        return _push(studio, args, files, _silent if quiet else shown, cancel)

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="models") as pool:
        going = {studio.name: pool.submit(one, studio) for studio in studios}
        try:
            return {name: future.result() for name, future in going.items()}
        except BaseException:
            cancel.set()  # what has arrived stays; the others stop too
            raise


def _silent(progress: Progress) -> None:
    """Nothing is drawn."""


def _push(
    studio: Studio, args: argparse.Namespace, files: Mapping[str, Path], report: Report,
    cancel: threading.Event,
) -> dict[str, Any]:  # fmt: skip
    """Send the files, let the engine take in what it knows, and remove our copy."""
    from remote.transfer.push import push

    incoming = studio.layout().pretrained / "incoming"
    push(
        studio.connect, files, str(incoming), report=report, cancel=cancel,
        bandwidth=limit(studio.config, args.limit), tuning=tuning(studio.config),
    )  # fmt: skip
    answer = _ask(studio, args, ["import", str(incoming)])
    studio.link().run(["rm", "-rf", "--", str(incoming)])
    return answer


def _tell(name: str, answer: dict[str, Any], args: argparse.Namespace, console: Console) -> bool:
    for file in answer.get("files", ()):
        console.write(f"{file['state']:<8} {file['name']}  {size(file.get('bytes') or 0)}")
    whole = answer.get("whole") is True
    key = "tui.cli.models_whole" if whole else "tui.cli.models_not_whole"
    console.say(key, set=args.set, server=name)
    console.emit({"status": "ok" if whole else "incomplete", "server": name, **answer})
    return whole


def _ask(studio: Studio, args: argparse.Namespace, words: list[str]) -> dict[str, Any]:
    """Run `engine pretrained` there; its own Problem comes back as one of ours."""
    from remote.homecoming import engine_command

    work = str(studio.layout().work)
    command = ["pretrained", *words, "--set", args.set, "--work", work, "--json"]
    answer = engine_command(studio.link(), studio.deployed(), command, timeout=LIMIT_S)
    message = answer.get("message")
    if "whole" not in answer and isinstance(message, dict):
        why = str(message.get("en", ""))[:400]
        raise Problem("tui.cli.models_refused", ExitCode.DATA, server=studio.name, why=why)
    return answer
