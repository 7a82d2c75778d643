"""`sovdeck completion bash|zsh|fish`: the script with which a shell completes command lines."""

from __future__ import annotations

import argparse

from sovdeck.tui.cli.completion import SHELLS, complete, completion_script
from sovdeck.tui.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck completion`; `words` is what the scripts ask."""
    parser.add_argument("shell", choices=(*SHELLS, "words"), metavar="{bash,zsh,fish}")
    parser.add_argument("line", nargs="*", metavar="WORD")


def run(args: argparse.Namespace, console: Console) -> int:
    """Print the script, or the words that may follow, one a line."""
    if args.shell == "words":
        for word in complete(args.line):
            print(word)
    else:
        print(completion_script(args.shell), end="")
    return 0
