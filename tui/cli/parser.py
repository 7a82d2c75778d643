"""An argparse parser whose help texts come from the catalogue, in English and Chinese.

The help of `sovdeck server add --name` is `tui.options.server_add_name` where that key exists,
else `tui.options.name`, which all commands share.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import Any, NoReturn

from sovdeck.engine.contract.catalogue import Language, text
from sovdeck.tui.cli.usage_errors import describe_mistake, describe_unknown


class LocalizedHelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help formatter whose usage line begins in the chosen language."""

    def __init__(self, *args: Any, language: Language = "en", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._language = language

    def add_usage(
        self, usage: str | None, actions: Any, groups: Any, prefix: str | None = None
    ) -> None:
        """Begin the usage line with the catalogue's word for "usage"."""
        if prefix is None:
            prefix = text("tui.options.usage").get(self._language)
        super().add_usage(usage, actions, groups, prefix)


class LocalizedParser(argparse.ArgumentParser):
    """Argument parser in one language; `key_prefix` begins the catalogue keys of its options."""

    def __init__(self, *args: Any, language: Language = "en", key_prefix: str = "", **kwargs: Any):
        self.language = language
        self.key_prefix = key_prefix
        self._remainder_dest = ""
        kwargs["formatter_class"] = partial(LocalizedHelpFormatter, language=language)
        super().__init__(*args, **kwargs)
        self._positionals.title = self.option_text("arguments")
        self._optionals.title = self.option_text("options")

    def option_text(self, name: str, **facts: Any) -> str:
        """The catalogue's text for an option or a heading; KeyError when there is none."""
        for key in (f"{self.key_prefix}_{name}", name):
            try:
                return text(f"tui.options.{key}", **facts).get(self.language)
            except KeyError:
                continue
        raise KeyError(f"tui.options.{name}")

    def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:
        """Add an argument; its help comes from the catalogue unless it is given."""
        action = super().add_argument(*args, **kwargs)
        if action.dest in ("help", "version") or action.help is None:
            action.help = self.option_text(action.dest)
        return action

    def add_subparsers(self, **kwargs: Any) -> Any:
        """Add subparsers that share this parser's language and extend its key prefix."""
        kwargs.setdefault("parser_class", partial(LocalizedParser, language=self.language))
        subparsers: Any = super().add_subparsers(action=LocalizedSubparsers, **kwargs)
        subparsers.parent_parser = self
        return subparsers

    def accept_remainder(self, name: str) -> None:
        """Add a positional argument that takes everything after `--`, wherever `--` stands.

        argparse loses these arguments when an option stands between them and the first one.
        """
        self.add_argument(name, nargs="*", metavar=name.upper())
        self._remainder_dest = name

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; what follows `--` goes to the remainder argument. Refuses unknown arguments."""
        remainder: list[str] = []
        if self._remainder_dest and args is not None and "--" in args:
            index = args.index("--")
            args, remainder = args[:index], args[index + 1 :]
        if self._subparsers is None and args is not None:
            args = self._positionals_first(list(args))
        namespace, unknown = super().parse_known_args(args, namespace)
        if remainder:
            setattr(
                namespace,
                self._remainder_dest,
                [*getattr(namespace, self._remainder_dest), *remainder],
            )
        if unknown and self._subparsers is None:
            # Refused here, the message names the command whose help lists the arguments.
            self.error(describe_unknown(unknown, self._option_string_actions, self.option_text))
        return namespace, unknown

    def _positionals_first(self, args: list[str]) -> list[str]:
        """Move positional arguments before the options, so that both may stand in any order.

        Before Python 3.12 argparse gives the first word to the last of several positional
        arguments when an option stands between them.
        """
        positionals: list[str] = []
        options: list[str] = []
        rest = args
        while rest:
            word, *rest = rest
            if word == "--":
                return [*positionals, *options, word, *rest]
            if word == "-" or not word.startswith("-"):
                positionals.append(word)
                continue
            action = self._find_option(word)
            if action is None:  # a negative number, or argparse says what is wrong with it
                return args
            options.append(word)
            if "=" not in word:
                count = _values_taken(action, rest)
                options += rest[:count]
                rest = rest[count:]
        return [*positionals, *options]

    def _find_option(self, word: str) -> argparse.Action | None:
        """The option that a word names, also by an unambiguous beginning."""
        name = word.partition("=")[0]
        if name in self._option_string_actions:
            return self._option_string_actions[name]
        begun = {
            id(action): action
            for option, action in self._option_string_actions.items()
            if name.startswith("--") and option.startswith(name)
        }
        return next(iter(begun.values())) if len(begun) == 1 else None

    def error(self, message: str) -> NoReturn:
        """Print usage and one sentence on standard error; exit code 2."""
        self.print_usage(sys.stderr)
        why = describe_mistake(message, self.option_text)
        sentence = self.option_text("wrong", why=why, command=self.prog)
        self.exit(2, f"sovdeck: {sentence}\n")


def _values_taken(action: argparse.Action, rest: list[str]) -> int:
    """How many of the words after an option are its values."""
    following = 0
    while following < len(rest) and (not rest[following].startswith("-") or rest[following] == "-"):
        following += 1
    if action.nargs is None:
        return 1
    if isinstance(action.nargs, int):
        return action.nargs
    return min(following, 1) if action.nargs == "?" else following


class LocalizedSubparsers(argparse._SubParsersAction):  # type: ignore[type-arg]  # not subscriptable at run time
    """Commands, or the actions of a command; each extends the key prefix by its own name."""

    parent_parser: LocalizedParser

    def add_parser(self, name: str, **kwargs: Any) -> Any:
        """Add a subparser with its catalogue text as help and description."""
        key_prefix = f"{self.parent_parser.key_prefix}_{name}".strip("_").replace("-", "_")
        if "help" not in kwargs:
            kwargs["help"] = kwargs["description"] = self.parent_parser.option_text(
                name.replace("-", "_")
            )
        return super().add_parser(name, key_prefix=key_prefix, **kwargs)


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add `--json`, which every command takes."""
    parser.add_argument("--json", action="store_true")
