"""One address type for everything a provider prints or a person types. Pure, no I/O.

    ssh -p 41022 root@host -i key -J jump      root@[2001:db8::7]:2222      2001:db8::7
    fe80::1%eth0      ssh://user@[v6]:22       host:port                    host port

Aliases of ~/.ssh/config are filled in by `remote.ssh_config.resolve`.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from engine.contract.problem import ExitCode, Problem
from remote.address import bracketed, check_host, check_port, check_user, shown, split_place
from remote.hostkeys import place_of
from remote.key_rules import KeyRules

Family = Literal["auto", "4", "6"]
SSH_PORT = 22

# ssh options that do not change where or as whom one connects; a provider's -L is not needed.
_IGNORED_WITH_VALUE = frozenset("BbcDELmeRQ")
_IGNORED_FLAGS = frozenset("AaCfgKkMNnqsTtvVXxYy")
_FAMILIES: dict[str, Family] = {"any": "auto", "inet": "4", "inet6": "6"}
# What web pages and Chinese keyboards make of an ASCII line.
_TYPOGRAPHY = str.maketrans(
    {"\u00a0": " ", "\u3000": " ", "\u200b": "", "\ufeff": "", "\uff1a": ":", "\uff20": "@"}
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\uff0d", "-")
)


@dataclass(frozen=True)
class Typed:
    """What a line said, with None or "" for what it left open (ssh_config may fill it)."""

    host: str
    port: int | None = None
    user: str = ""
    identity: tuple[str, ...] = ()
    jump: tuple[HostSpec, ...] | None = None
    family: Family = "auto"
    alias: str = ""
    only_identity: bool = False
    certificates: tuple[str, ...] = ()
    key_rules: KeyRules = KeyRules()


@dataclass(frozen=True)
class Lines:
    """Lines to copy into a shell, quoted; FILE stands for the user's own file."""

    ssh: str
    scp: str
    sftp: str
    rsync: str


@dataclass(frozen=True)
class HostSpec:
    """Where and as whom to connect.

    host: lower-case name or IP literal without brackets (a zone stays: `fe80::1%eth0`).
    user: "" means the local login name. identity: private key files, tried first.
    jump: hops, outermost first; a hop has user, host and port only and shares `identity`.
    alias: the name a person gave the server; "" for none. only_identity: offer no other keys
    (IdentitiesOnly), for agents so full that the server hangs up. certificates: OpenSSH
    certificates of those keys (CertificateFile). key_rules: how its host key is checked.
    """

    host: str
    port: int = SSH_PORT
    user: str = ""
    identity: tuple[str, ...] = ()
    jump: tuple[HostSpec, ...] = ()
    family: Family = "auto"
    alias: str = ""
    only_identity: bool = False
    certificates: tuple[str, ...] = ()
    key_rules: KeyRules = KeyRules()

    def __post_init__(self) -> None:
        # Whoever makes one, nothing in it can be mistaken for an option or for shell text.
        object.__setattr__(self, "host", check_host(self.host))
        check_port(str(self.port))
        if self.user:
            check_user(self.user)

    @classmethod
    def parse(cls, text: str) -> HostSpec:
        """Parse any form of the module's heading; raises only Problem (remote.host.*)."""
        return from_typed(parse_typed(text))

    @property
    def name(self) -> str:
        """What to call this server in a sentence."""
        if self.alias:
            return self.alias
        return self.host if self.port == SSH_PORT else f"{bracketed(self.host)}:{self.port}"

    @property
    def place(self) -> str:
        """The name its host key is filed under in known_hosts files."""
        return self.key_rules.alias or place_of(self.host, self.port)

    def format(self) -> str:
        """One line that `parse` reads back into an equal HostSpec."""
        words = ["ssh", *self._options("-p"), self._login()]
        line = shlex.join(words)
        return f"{line} # {shlex.quote(self.alias)}" if self.alias else line

    def lines(self) -> Lines:
        """Correct, quoted command lines for this address."""
        target = (f"{self.user}@" if self.user else "") + bracketed(self.host) + ":"
        carrier = shlex.join(["ssh", *self._options("-p")])
        return Lines(
            ssh=shlex.join(["ssh", *self._options("-p"), self._login()]),
            scp=shlex.join(["scp", *self._options("-P"), "FILE", target]),
            sftp=shlex.join(["sftp", *self._options("-P"), target[:-1]]),
            rsync=shlex.join(["rsync", "-a", "-e", carrier, "FILE", target]),
        )

    def _login(self) -> str:
        return f"{self.user}@{self.host}" if self.user else self.host

    def _options(self, port_flag: str) -> list[str]:
        words: list[str] = []
        if self.family != "auto":
            words.append(f"-{self.family}")
        if self.port != SSH_PORT:
            words += [port_flag, str(self.port)]
        for key in self.identity:
            words += ["-i", key]
        if self.only_identity:
            words += ["-o", "IdentitiesOnly=yes"]
        for certificate in self.certificates:
            words += ["-o", f"CertificateFile={certificate}"]
        words += self.key_rules.options()
        if self.jump:
            words += ["-J", hops_text(self.jump)]
        return words


def from_typed(typed: Typed) -> HostSpec:
    """Fill what was left open with ssh's own defaults."""
    return HostSpec(
        typed.host,
        typed.port or SSH_PORT,
        typed.user,
        typed.identity,
        typed.jump or (),
        typed.family,
        typed.alias,
        typed.only_identity,
        typed.certificates,
        typed.key_rules,
    )


def _hop(hop: HostSpec) -> str:
    user = f"{hop.user}@" if hop.user else ""
    port = f":{hop.port}" if hop.port != SSH_PORT else ""
    return f"{user}{bracketed(hop.host)}{port}"


def hops_text(hops: tuple[HostSpec, ...]) -> str:
    """Hops as -J and ProxyJump take them; `parse_hops` is the inverse."""
    return ",".join(_hop(hop) for hop in hops)


def parse_hops(text: str) -> tuple[HostSpec, ...]:
    """Parse the value of -J or ProxyJump: `[user@]host[:port],...`; `none` means no hop."""
    if text.lower() == "none":
        return ()
    return tuple(from_typed(_parse_place(hop)) for hop in text.split(","))


def _parse_place(text: str) -> Typed:
    scheme, separator, rest = text.partition("://")
    if separator:
        if scheme.lower() != "ssh":
            raise Problem("remote.host.bad_scheme", ExitCode.CONFIG, scheme=shown(scheme))
        text = unquote(rest.rstrip("/"), errors="replace")
    user, host, port = split_place(text)
    return Typed(host=host, port=port, user=user)


def parse_typed(text: str) -> Typed:
    """Parse a line into what it says, without defaults; raises only Problem (remote.host.*)."""
    if "'" not in text and '"' not in text:
        # Unquoted, a backslash can only be a Windows path, which a POSIX shell would eat.
        text = text.translate(_TYPOGRAPHY).replace("\\", "\\\\")
    try:
        words = shlex.split(text)
    except ValueError:
        raise Problem("remote.host.open_quote", ExitCode.CONFIG) from None
    if words and words[0] == "$":
        words = words[1:]
    if words and re.split(r"[/\\]", words[0])[-1].lower() in ("ssh", "ssh.exe", "sftp"):
        words = words[1:]
    if not words:
        raise Problem("remote.host.empty", ExitCode.CONFIG)
    return _Reader(words).read()


def _check_alias(words: list[str]) -> str:
    if (
        len(words) != 1
        or not words[0].isprintable()
        or words[0] != words[0].strip()
        or not words[0]
    ):
        raise Problem("remote.host.bad_alias", ExitCode.CONFIG)
    return words[0]


@dataclass
class _Reader:
    """Reads the words after `ssh` the way ssh's own getopt does, options before or after host."""

    words: list[str]
    place: str = ""
    hostname: str = ""
    port: int | None = None
    user: str = ""
    identity: list[str] = field(default_factory=list)
    jump: tuple[HostSpec, ...] | None = None
    family: Family = "auto"
    alias: str = ""
    only_identity: bool = False
    certificates: list[str] = field(default_factory=list)
    key_rules: KeyRules = KeyRules()

    def read(self) -> Typed:
        extra: list[str] = []
        while self.words:
            word = self.words.pop(0)
            if word == "#":
                self.alias = _check_alias(self.words)
                break
            if word == "--":
                continue
            if word.startswith("-") and len(word) > 1:
                self._option(word[1:])
            elif not self.place:
                self.place = word
            else:
                extra.append(word)
        if not self.place:
            raise Problem("remote.host.no_host", ExitCode.CONFIG)
        typed = _parse_place(self.place)
        if len(extra) == 1 and extra[0].isdigit() and self.port is None and typed.port is None:
            self.port = check_port(extra.pop())  # "host 41022", as some panels print it
        if extra:
            # The extra words are not repeated: people paste the password behind the address.
            raise Problem("remote.host.extra_words", ExitCode.CONFIG, count=len(extra))
        if typed.port is not None and self.port is not None and typed.port != self.port:
            raise Problem("remote.host.two_ports", ExitCode.CONFIG, one=typed.port, two=self.port)
        return Typed(
            host=check_host(self.hostname) if self.hostname else typed.host,
            port=self.port if typed.port is None else typed.port,
            user=typed.user or self.user,
            identity=tuple(self.identity),
            jump=self.jump,
            family=self.family,
            alias=self.alias or (typed.host if self.hostname else ""),
            only_identity=self.only_identity,
            certificates=tuple(self.certificates),
            key_rules=self.key_rules,
        )

    def _option(self, letters: str) -> None:
        letter, rest = letters[0], letters[1:]
        if letter in "46" or letter in _IGNORED_FLAGS:
            if letter in "46":
                self.family = "4" if letter == "4" else "6"
            if rest:
                self._option(rest)
            return
        keyword = {"p": "port", "P": "port", "l": "user", "i": "identityfile", "J": "proxyjump"}
        if letter not in keyword and letter != "o" and letter not in _IGNORED_WITH_VALUE:
            raise Problem("remote.host.bad_option", ExitCode.CONFIG, option=shown(f"-{letter}"))
        if not rest and not self.words:
            raise Problem("remote.host.no_value", ExitCode.CONFIG, option=f"-{letter}")
        value = rest or self.words.pop(0)
        if letter == "o":
            name, _, value = value.replace("=", " ", 1).partition(" ")
            self._keyword(name.lower(), value.strip())
        elif letter in keyword:
            self._keyword(keyword[letter], value)

    def _keyword(self, name: str, value: str) -> None:
        if name == "port":
            self.port = check_port(value)
        elif name == "user":
            self.user = check_user(value)
        elif name in ("identityfile", "certificatefile"):
            if not value or not value.isprintable():
                raise Problem("remote.host.bad_identity", ExitCode.CONFIG)
            (self.identity if name == "identityfile" else self.certificates).append(value)
        elif name == "proxyjump":
            self.jump = parse_hops(value)
        elif name == "addressfamily":
            self.family = _FAMILIES.get(value.lower(), "auto")
        elif name == "identitiesonly":
            self.only_identity = value.lower() == "yes"
        elif name == "hostname":
            self.hostname = value
        elif name == "proxycommand":
            # Would end somewhere this type cannot say; everything else changes no address.
            raise Problem("remote.host.bad_option", ExitCode.CONFIG, option="-o ProxyCommand")
        else:
            self.key_rules = self.key_rules.told(name, value)
