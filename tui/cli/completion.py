"""What may follow on a command line: the words that a shell offers at TAB."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.config.load import load_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.tui.cli.help_topics import list_topics
from sovdeck.tui.cli.main import CLI_COMMANDS, build_parser

SHELLS = ("bash", "zsh", "fish")
# Each asks this program, so that servers and options are those of this moment. Where it has no
# answer the shell offers files.
_SCRIPTS = {
    "bash": """_sovdeck() {
  local IFS=$'\\n'
  COMPREPLY=($(sovdeck completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o bashdefault -o default -F _sovdeck sovdeck
""",
    "zsh": """#compdef sovdeck
_sovdeck() {
  local -a found
  found=(${(f)"$(sovdeck completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( $#found )); then compadd -a found; else _files; fi
}
compdef _sovdeck sovdeck
""",
    "fish": """function __sovdeck_words
  set -l before (commandline -opc)
  sovdeck completion words -- $before[2..-1] (commandline -ct) 2>/dev/null
end
complete -c sovdeck -a '(__sovdeck_words)'
""",
}


def completion_script(shell: str) -> str:
    """Return the script that one of SHELLS reads at its start."""
    return _SCRIPTS[shell]


def complete(words: Sequence[str]) -> list[str]:
    """Return what the last of `words` can become; the words before it are whole.

    `words` are the arguments of the program so far; the last may be empty.
    """
    *before, current = words or ("",)
    parser, _ = build_parser(before, "en")
    positionals_given = 0
    for word in before:
        deeper = _subparsers(parser).get(word)
        if deeper is not None:
            parser, positionals_given = deeper, 0
        elif not word.startswith("-"):
            positionals_given += 1
    found = _candidates(parser, before[-1] if before else "", current, positionals_given)
    return sorted({one for one in found if one.startswith(current)})


def _candidates(
    parser: argparse.ArgumentParser, previous: str, current: str, given: int
) -> Sequence[str]:
    for action in parser._actions:
        if previous in action.option_strings and action.nargs != 0:
            return _values(action)
    if current.startswith("-"):
        return [name for action in parser._actions for name in action.option_strings]
    if commands := _subparsers(parser):
        return list(commands)
    positionals = [action for action in parser._actions if not action.option_strings]
    return _values(positionals[min(given, len(positionals) - 1)]) if positionals else []


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _values(action: argparse.Action) -> Sequence[str]:
    if action.choices is not None:
        return [str(one) for one in action.choices]
    if action.metavar == "NAME=VALUE":
        return [f"{name}=" for name in PARAMS]
    if action.dest == "topic":
        return [*list_topics("en"), *CLI_COMMANDS]
    return _server_names() if action.metavar == "SERVER" else []


def _server_names() -> Sequence[str]:
    try:
        return list(load_config(None, AppPaths.locate()).servers)
    except Problem:
        return []  # a faulty deploy.toml is told by the command itself, not in the middle of a line
