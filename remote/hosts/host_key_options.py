"""What ssh options say about checking one server's host key."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.hosts.address import to_printable
from sovdeck.remote.hosts.ssh_config_parser import split_arguments

_ALIAS = re.compile(r"[A-Za-z0-9_.:%\[\]-]{1,253}\Z")
_STRICT_VALUES = frozenset({"yes", "true"})
_OPTION_NAMES = {
    "hostkeyalias": "HostKeyAlias",
    "userknownhostsfile": "UserKnownHostsFile",
    "stricthostkeychecking": "StrictHostKeyChecking",
}


@dataclass(frozen=True)
class HostKeyOptions:
    """The ssh options about one server's host key.

    alias: the name its key is filed under (HostKeyAlias), "" for host and port. files: read in
    place of ~/.ssh/known_hosts (UserKnownHostsFile). strict: nobody is asked about an unknown key
    (StrictHostKeyChecking yes). Its `no` and `accept-new` are not followed: a person is asked once.
    """

    alias: str = ""
    files: tuple[str, ...] = ()
    strict: bool = False

    def with_option(self, option: str, value: str) -> HostKeyOptions:
        """Return a copy with one more ssh option; options other than the three change nothing.

        Problem remote.host.bad_name or bad_identity for a bad name or list of files.
        """
        if option == "hostkeyalias":
            if not _ALIAS.match(value):
                raise Problem("remote.host.bad_name", ExitCode.CONFIG, host=to_printable(value))
            return replace(self, alias=value.lower())
        if option == "userknownhostsfile":
            files = split_arguments(value)
            if not files or not all(_is_path(file) for file in files):
                raise Problem("remote.host.bad_identity", ExitCode.CONFIG)
            return replace(self, files=tuple(files))
        if option == "stricthostkeychecking":
            return replace(self, strict=value.lower() in _STRICT_VALUES)
        return self

    def to_arguments(self) -> list[str]:
        """Return them as `-o NAME=VALUE` arguments of ssh."""
        values = {
            "hostkeyalias": self.alias,
            "userknownhostsfile": " ".join(f'"{file}"' for file in self.files),
            "stricthostkeychecking": "yes" if self.strict else "",
        }
        words: list[str] = []
        for option, value in values.items():
            words += ["-o", f"{_OPTION_NAMES[option]}={value}"] if value else []
        return words


def _is_path(text: str) -> bool:
    return bool(text) and text.isprintable() and '"' not in text
