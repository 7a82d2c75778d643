"""`sovdeck demo`: train a tiny voice on this computer, over real SSH, with the dashboard."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.demo import steps
from sovdeck.tui.cli.demo.dashboard import show_dashboard
from sovdeck.tui.cli.demo.rent import run_rent_demo
from sovdeck.tui.cli.follow_run import follow_run
from sovdeck.tui.cli.parser import add_json_option
from sovdeck.tui.practice.local_server import PracticeEnvironment, check_installed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck demo`."""
    parser.add_argument("--headless", action="store_true")
    parser.add_argument("--rent", action="store_true")
    parser.add_argument("--keep", type=Path, metavar="DIR")
    add_json_option(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Run the demo; the exit code is 0 only when every check passed."""
    check_installed()
    started = time.monotonic()
    folder = args.keep or Path("demo")
    headless = args.headless or args.json or not (sys.stdin.isatty() and sys.stdout.isatty())
    if args.rent:
        return run_rent_demo(folder, console, headless=headless, keep=bool(args.keep))
    with PracticeEnvironment(folder) as environment:
        session, second_uploads = steps.prepare_server(environment, console)
        with session:
            handle = steps.start_training(session, console)
            if not headless:
                show_dashboard(environment, console.language)

            followed = follow_run(session, handle, console, quiet_if_ended=not headless)
            downloaded = None
            if followed.job.state == "succeeded":
                downloaded = steps.download(session, environment, console)
            result = steps.check_result(followed, downloaded, second_uploads, started)
            layout = session.layout()
        remove_server_files = not args.keep and not result.failures
        steps.print_summary(
            result, None if remove_server_files else layout, environment.outputs, console
        )
    if remove_server_files:
        # The voice is kept; the practice server's own folders are not needed any more.
        for name in ("server", "sshd", "config", "data"):
            shutil.rmtree(environment.folder / name, ignore_errors=True)
    console.print_json(result.as_json())
    return 0 if not result.failures else max(1, followed.exit_code)
