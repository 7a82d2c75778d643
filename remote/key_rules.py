"""What ssh options say about checking one server's host key."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from engine.contract.problem import ExitCode, Problem
from remote.address import shown
from remote.config_file import split_words

_ALIAS = re.compile(r"[A-Za-z0-9_.:%\[\]-]{1,253}\Z")
_STRICT = frozenset({"yes", "true"})
_OPTIONS = {
    "hostkeyalias": "HostKeyAlias",
    "userknownhostsfile": "UserKnownHostsFile",
    "stricthostkeychecking": "StrictHostKeyChecking",
}


@dataclass(frozen=True)
class KeyRules:
    """alias: the name its key is filed under (HostKeyAlias), "" for host and port. files: read in
    place of ~/.ssh/known_hosts (UserKnownHostsFile). strict: nobody is asked about an unknown key
    (StrictHostKeyChecking yes). Its `no` and `accept-new` are not followed: one is asked once.
    """

    alias: str = ""
    files: tuple[str, ...] = ()
    strict: bool = False

    def told(self, option: str, value: str) -> KeyRules:
        """With one more ssh option taken in; others than the three change nothing.

        Problem remote.host.bad_name or bad_identity for what is no name, or no list of files.
        """
        if option == "hostkeyalias":
            if not _ALIAS.match(value):
                raise Problem("remote.host.bad_name", ExitCode.CONFIG, host=shown(value))
            return replace(self, alias=value.lower())
        if option == "userknownhostsfile":
            files = split_words(value)
            if not files or not all(_is_path(file) for file in files):
                raise Problem("remote.host.bad_identity", ExitCode.CONFIG)
            return replace(self, files=tuple(files))
        if option == "stricthostkeychecking":
            return replace(self, strict=value.lower() in _STRICT)
        return self

    def options(self) -> list[str]:
        """As words of a command line."""
        said = {
            "hostkeyalias": self.alias,
            "userknownhostsfile": " ".join(f'"{file}"' for file in self.files),
            "stricthostkeychecking": "yes" if self.strict else "",
        }
        words: list[str] = []
        for option, value in said.items():
            words += ["-o", f"{_OPTIONS[option]}={value}"] if value else []
        return words


def _is_path(text: str) -> bool:
    return bool(text) and text.isprintable() and '"' not in text
