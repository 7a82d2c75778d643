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

from sovdeck.engine.contract.foreign_values import is_file

_MAX_DEPTH = 16  # of Include, as in OpenSSH
_CUMULATIVE_KEYWORDS = frozenset({"identityfile", "certificatefile"})


@dataclass
class SSHConfigSettings:
    """What a configuration says for one host.

    The first value of a keyword wins, except for files of keys, which add up.
    """

    values: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def first(self, name: str) -> str | None:
        """Return the first word of a keyword's value, or None."""
        return self.values[name][0] if name in self.values else None

    def all(self, name: str) -> tuple[str, ...]:
        """Return every word of a keyword's value."""
        return self.values.get(name, ())

    def add(self, name: str, words: list[str]) -> None:
        """Add the words of a keyword."""
        if name not in _CUMULATIVE_KEYWORDS:
            self.values.setdefault(name, tuple(words))
        elif words[0] not in self.all(name):
            self.values[name] = (*self.all(name), words[0])


def lookup_settings(host: str, user: str, files: list[Path]) -> SSHConfigSettings:
    """Read the settings for `ssh user@host`, the first file first.

    user: "" when not given.
    """
    settings = SSHConfigSettings()
    for path in files:
        _ConfigReader(host, user, settings, path.parent).read(path, True, 0)
    return settings


@dataclass
class _ConfigReader:
    host: str
    user: str
    settings: SSHConfigSettings
    folder: Path

    def read(self, path: Path, active: bool, depth: int) -> None:
        """Add every setting of a file that applies; active: whether the including block matches."""
        if depth > _MAX_DEPTH or not is_file(path):
            return
        applies = active
        text = path.read_text(encoding="utf-8", errors="replace")
        for name, words in _parse_lines(text):
            if name == "host":
                applies = active and _match_patterns(words, self.host)
            elif name == "match":
                applies = active and self._match_criteria(words)
            elif name == "include":
                for pattern in words:
                    for file in self._expand_include(pattern):
                        self.read(file, applies, depth + 1)
            elif applies and words:
                self.settings.add(name, words)

    def _expand_include(self, pattern: str) -> list[Path]:
        try:
            path = Path(pattern).expanduser()
            if path.is_absolute():
                return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
            return sorted(self.folder.glob(pattern))
        except (IndexError, NotImplementedError, OSError, RuntimeError, ValueError):
            return []  # "." or "" or what else pathlib takes for no pattern; ssh reads no file then

    def _match_criteria(self, words: list[str]) -> bool:
        rest = list(words)
        while rest:
            negated = rest[0].startswith("!")
            criterion = rest.pop(0).lstrip("!").lower()
            if criterion == "all":
                matched = True
            elif criterion in ("canonical", "final"):
                matched = False  # only in OpenSSH's second pass, which we do not make
            elif not rest:
                return False
            else:
                matched = self._match_criterion(criterion, rest.pop(0))
            if matched == negated:
                return False
        return True

    def _match_criterion(self, criterion: str, value: str) -> bool:
        subject = {
            "host": self.settings.first("hostname") or self.host,
            "originalhost": self.host,
            "user": self.settings.first("user") or self.user or getpass.getuser(),
            "localuser": getpass.getuser(),
        }.get(criterion)
        # exec, tagged, localnetwork and what comes after them: not ours to run or to know.
        return subject is not None and _match_patterns(value.split(","), subject)


def _match_patterns(patterns: list[str], subject: str) -> bool:
    found = False
    for pattern in patterns:
        if _match_glob(pattern.removeprefix("!"), subject):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _match_glob(pattern: str, subject: str) -> bool:
    return fnmatchcase(subject.lower(), pattern.lower().replace("[", "[[]"))


def _parse_lines(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield (lower-case keyword, arguments) of every readable line."""
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, value = _split_keyword(line)
        # A command is kept as it stands: its quotes are for the shell.
        words = [value] if name.lower() == "proxycommand" and value else split_arguments(value)
        if words is not None:
            yield name.lower(), words


def _split_keyword(line: str) -> tuple[str, str]:
    for at, character in enumerate(line):
        if character in " \t=":
            return line[:at], line[at:].lstrip(" \t").removeprefix("=").strip()
    return line, ""


def split_arguments(value: str) -> list[str] | None:
    """Split into words without quotes or a trailing comment; None for an open quote."""
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
