"""A reader of ~/.ssh/config: Host, Match and Include as ssh_config(5) has them.

Paramiko's reader ignores Include, keeps trailing comments in values and takes an unknown Match
for a match. Nothing is ever run here: `Match exec` never matches.
"""

from __future__ import annotations

import getpass
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

_MAX_DEPTH = 16  # of Include, as in OpenSSH
_LISTS = frozenset({"identityfile", "certificatefile"})


@dataclass
class Settings:
    """What a configuration says for one host: the first value of a keyword wins, except for
    files of keys, which add up."""

    values: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        """The first word of a keyword's value."""
        return self.values[name][0] if name in self.values else None

    def all(self, name: str) -> tuple[str, ...]:
        """Every word."""
        return self.values.get(name, ())

    def take(self, name: str, words: list[str]) -> None:
        if name not in _LISTS:
            self.values.setdefault(name, tuple(words))
        elif words[0] not in self.all(name):
            self.values[name] = (*self.all(name), words[0])


def look_up(host: str, user: str, files: list[Path]) -> Settings:
    """Settings for `ssh user@host` from the files, the first file first. user: "" if not said."""
    settings = Settings()
    for path in files:
        _Reader(host, user, settings, path.parent).read(path, True, 0)
    return settings


@dataclass
class _Reader:
    host: str
    user: str
    settings: Settings
    folder: Path

    def read(self, path: Path, active: bool, depth: int) -> None:
        """Take every setting of a file that applies. active: does the including block match?"""
        if depth > _MAX_DEPTH or not path.is_file():
            return
        applies = active
        text = path.read_text(encoding="utf-8", errors="replace")
        for name, words in _statements(text):
            if name == "host":
                applies = active and _any_pattern(words, self.host)
            elif name == "match":
                applies = active and self._matches(words)
            elif name == "include":
                for pattern in words:
                    for file in self._included(pattern):
                        self.read(file, applies, depth + 1)
            elif applies and words:
                self.settings.take(name, words)

    def _included(self, pattern: str) -> list[Path]:
        path = Path(pattern).expanduser()
        if path.is_absolute():
            return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        return sorted(self.folder.glob(pattern))

    def _matches(self, words: list[str]) -> bool:
        rest = list(words)
        while rest:
            negated = rest[0].startswith("!")
            criterion = rest.pop(0).lstrip("!").lower()
            if criterion == "all":
                hit = True
            elif criterion in ("canonical", "final"):
                hit = False  # only in OpenSSH's second pass, which we do not make
            elif not rest:
                return False
            else:
                hit = self._criterion(criterion, rest.pop(0))
            if hit == negated:
                return False
        return True

    def _criterion(self, criterion: str, value: str) -> bool:
        subject = {
            "host": self.settings.get("hostname") or self.host,
            "originalhost": self.host,
            "user": self.settings.get("user") or self.user or getpass.getuser(),
            "localuser": getpass.getuser(),
        }.get(criterion)
        # exec, tagged, localnetwork and what comes after them: not ours to run or to know.
        return subject is not None and _any_pattern(value.split(","), subject)


def _any_pattern(patterns: list[str], subject: str) -> bool:
    found = False
    for pattern in patterns:
        if _glob(pattern.removeprefix("!"), subject):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _glob(pattern: str, subject: str) -> bool:
    return fnmatchcase(subject.lower(), pattern.lower().replace("[", "[[]"))


def _statements(text: str) -> Iterator[tuple[str, list[str]]]:
    """(lower-case keyword, arguments) of every readable line."""
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, value = _split_keyword(line)
        words = split_words(value)
        if words is not None:
            yield name.lower(), words


def _split_keyword(line: str) -> tuple[str, str]:
    for at, character in enumerate(line):
        if character in " \t=":
            return line[:at], line[at:].lstrip(" \t").removeprefix("=").strip()
    return line, ""


def split_words(value: str) -> list[str] | None:
    """Words with quotes removed and a trailing comment dropped; None for an open quote."""
    lexer = shlex.shlex(value, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    lexer.escape = ""  # a backslash is a part of Windows paths
    try:
        words = list(lexer)
    except ValueError:
        return None
    for at, word in enumerate(words):
        if word.startswith("#"):
            return words[:at]
    return words
