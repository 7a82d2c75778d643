"""`sovdeck demo`: the whole trip on this computer, over real SSH, with the dashboard."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from tui.console import Console
from tui.target import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--headless", action="store_true")
    parser.add_argument("--keep", type=Path, metavar="DIR")
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    from tui.demo import trip
    from tui.demo.scene import Scene, check_installed

    check_installed()
    started = time.monotonic()
    folder = args.keep or Path("demo")
    headless = args.headless or args.json or not (sys.stdin.isatty() and sys.stdout.isatty())
    with Scene(folder) as scene:
        studio, second_uploads = trip.prepare(scene, console)
        with studio:
            handle = trip.launch(studio, console)
            if not headless:
                from tui.demo.screen import watch

                watch(scene, console.language)
            from tui.following import follow

            ended = follow(studio, handle, console, silent_past=not headless)
            home = None
            if ended.job.state == "succeeded":
                home = trip.fetch(studio, scene, console)
            found = trip.outcome(ended, home, second_uploads, started)
            layout = studio.layout()
        tidy = not args.keep and not found.failures
        trip.summary(found, None if tidy else layout, scene.outputs, console)
    if tidy:
        # What was asked for is the voice; the practice server's own folder can go.
        for name in ("server", "sshd", "config", "data"):
            shutil.rmtree(scene.folder / name, ignore_errors=True)
    console.emit(found.as_json())
    return 0 if not found.failures else max(1, ended.code)
