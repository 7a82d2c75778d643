"""The command line's parser: what every option means comes from the catalogue.

An option of `sovdeck server add` has its words in `tui.options.server_add_NAME`, else in
`tui.options.NAME`, which stands for the options that many verbs share.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import Any, NoReturn

from engine.contract.catalogue import Language, text


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help whose usage line begins in the reader's language."""

    def __init__(self, *args: Any, language: Language = "en", **facts: Any) -> None:
        super().__init__(*args, **facts)
        self._language = language

    def add_usage(
        self, usage: str | None, actions: Any, groups: Any, prefix: str | None = None
    ) -> None:
        if prefix is None:
            prefix = text("tui.options.usage").get(self._language)
        super().add_usage(usage, actions, groups, prefix)


class Parser(argparse.ArgumentParser):
    """`words` begins the keys of this parser's options; empty for the command itself."""

    def __init__(self, *args: Any, language: Language = "en", words: str = "", **facts: Any):
        self.language = language
        self.words = words
        self._rest = ""
        facts["formatter_class"] = partial(Formatter, language=language)
        super().__init__(*args, **facts)
        self._positionals.title = self.told("arguments")
        self._optionals.title = self.told("options")

    def told(self, name: str, **facts: Any) -> str:
        """What an option or a heading is called, in the language of this parser."""
        for key in (f"{self.words}_{name}", name):
            try:
                return text(f"tui.options.{key}", **facts).get(self.language)
            except KeyError:
                continue
        raise KeyError(f"tui.options.{name}")

    def add_argument(self, *args: Any, **facts: Any) -> argparse.Action:
        action = super().add_argument(*args, **facts)
        if action.dest in ("help", "version") or action.help is None:
            action.help = self.told(action.dest)
        return action

    def add_subparsers(self, **facts: Any) -> Any:
        facts.setdefault("parser_class", partial(Parser, language=self.language))
        made: Any = super().add_subparsers(action=Actions, **facts)
        made.inside = self
        return made

    def take_rest(self, name: str) -> None:
        """An argument for a foreign command: all after `--` is its, wherever `--` stands.

        argparse itself loses such words when an option stands between them and the first one.
        """
        self.add_argument(name, nargs="*", metavar=name.upper())
        self._rest = name

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        rest: list[str] = []
        if self._rest and args is not None and "--" in args:
            at = args.index("--")
            args, rest = args[:at], args[at + 1 :]
        namespace, unknown = super().parse_known_args(args, namespace)
        if rest:
            setattr(namespace, self._rest, [*getattr(namespace, self._rest), *rest])
        if unknown and self._subparsers is None:
            # Said here, it names the verb whose help tells what there is instead.
            self.error(self.told("too_much", words=" ".join(unknown)))
        return namespace, unknown

    def error(self, message: str) -> NoReturn:
        """One sentence and where to read more; exit code 2, as for every fault of asking."""
        self.print_usage(sys.stderr)
        said = self.told("wrong", why=message, command=self.prog)
        self.exit(2, f"sovdeck: {said}\n")


class Actions(argparse._SubParsersAction):  # type: ignore[type-arg]  # not subscriptable at run time
    """Verbs of a command, or actions of a verb; each gets its own beginning of keys."""

    inside: Parser

    def add_parser(self, name: str, **facts: Any) -> Any:
        words = f"{self.inside.words}_{name}".strip("_").replace("-", "_")
        if "help" not in facts:
            facts["help"] = facts["description"] = self.inside.told(name.replace("-", "_"))
        return super().add_parser(name, words=words, **facts)
