"""One address type for everything a provider prints or a person types. Pure, no I/O.

    ssh -p 41022 root@host -i key -J jump      root@[2001:db8::7]:2222      2001:db8::7
    fe80::1%eth0      ssh://user@[v6]:22       host:port                    host port

Aliases of ~/.ssh/config are filled in by `sovdeck.remote.hosts.ssh_config.resolve_host_spec`.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.hosts.address import (
    bracket_ipv6,
    check_host,
    check_port,
    check_user,
    split_destination,
    to_printable,
)
from sovdeck.remote.hosts.host_key_options import HostKeyOptions
from sovdeck.remote.hosts.known_hosts import format_known_hosts_name

Family = Literal["auto", "4", "6"]
SSH_PORT = 22

# ssh options that do not change where or as whom one connects; a provider's -L is not needed.
_IGNORED_WITH_VALUE = frozenset("BbcDELmeRQ")
_IGNORED_FLAGS = frozenset("AaCfgKkMNnqsTtvVXxYy")
# Values of the ssh option AddressFamily.
ADDRESS_FAMILIES: dict[str, Family] = {"any": "auto", "inet": "4", "inet6": "6"}
# What web pages and Chinese keyboards make of an ASCII line.
_TYPOGRAPHY = str.maketrans(
    {"\u00a0": " ", "\u3000": " ", "\u200b": "", "\ufeff": "", "\uff1a": ":", "\uff20": "@"}
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\uff0d", "-")
)


@dataclass(frozen=True)
class ParsedDestination:
    """What an ssh line gives, with None or "" for what it leaves open (ssh_config may fill it)."""

    host: str
    port: int | None = None
    user: str = ""
    identity: tuple[str, ...] = ()
    jump: tuple[HostSpec, ...] | None = None
    family: Family = "auto"
    alias: str = ""
    only_identity: bool = False
    certificates: tuple[str, ...] = ()
    host_key_options: HostKeyOptions = HostKeyOptions()
    identity_agent: str = ""
    proxy_command: str = ""


@dataclass(frozen=True)
class CommandLines:
    """Command lines to copy into a shell, quoted; FILE stands for the user's own file."""

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
    certificates of those keys (CertificateFile). host_key_options: how its host key is checked.
    identity_agent: the socket of the ssh agent (IdentityAgent), "none" for no agent, "" for the
    usual one. proxy_command: a program of this computer whose input and output are the connection
    (ProxyCommand), with its tokens; "" dials host and port.
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
    host_key_options: HostKeyOptions = HostKeyOptions()
    identity_agent: str = ""
    proxy_command: str = ""

    def __post_init__(self) -> None:
        # Whoever makes one, nothing in it can be mistaken for an option or for shell text.
        object.__setattr__(self, "host", check_host(self.host))
        check_port(str(self.port))
        if self.user:
            check_user(self.user)

    @classmethod
    def parse(cls, text: str) -> HostSpec:
        """Parse any form shown in the module's docstring; raises only Problem (remote.host.*)."""
        return spec_with_defaults(parse_ssh_line(text))

    @property
    def name(self) -> str:
        """The name of this server in sentences."""
        if self.alias:
            return self.alias
        return self.host if self.port == SSH_PORT else f"{bracket_ipv6(self.host)}:{self.port}"

    @property
    def known_hosts_name(self) -> str:
        """The name its host key is filed under in known_hosts files."""
        return self.host_key_options.alias or format_known_hosts_name(self.host, self.port)

    def format(self) -> str:
        """Return one line that `parse` reads back into an equal HostSpec.

        But for a `proxy_command`, which `parse` refuses.
        """
        words = ["ssh", *self._to_arguments("-p"), self._destination()]
        line = shlex.join(words)
        return f"{line} # {shlex.quote(self.alias)}" if self.alias else line

    def command_lines(self) -> CommandLines:
        """Return correct, quoted command lines for this address."""
        target = (f"{self.user}@" if self.user else "") + bracket_ipv6(self.host) + ":"
        remote_shell = shlex.join(["ssh", *self._to_arguments("-p")])
        return CommandLines(
            ssh=shlex.join(["ssh", *self._to_arguments("-p"), self._destination()]),
            scp=shlex.join(["scp", *self._to_arguments("-P"), "FILE", target]),
            sftp=shlex.join(["sftp", *self._to_arguments("-P"), target[:-1]]),
            rsync=shlex.join(["rsync", "-a", "-e", remote_shell, "FILE", target]),
        )

    def _destination(self) -> str:
        return f"{self.user}@{self.host}" if self.user else self.host

    def _to_arguments(self, port_flag: str) -> list[str]:
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
        if self.identity_agent:
            words += ["-o", f"IdentityAgent={self.identity_agent}"]
        if self.proxy_command:
            words += ["-o", f"ProxyCommand={self.proxy_command}"]
        words += self.host_key_options.to_arguments()
        if self.jump:
            words += ["-J", format_hops(self.jump)]
        return words


def spec_with_defaults(parsed: ParsedDestination) -> HostSpec:
    """Fill what is left open with ssh's own defaults."""
    return HostSpec(
        parsed.host,
        parsed.port or SSH_PORT,
        parsed.user,
        parsed.identity,
        parsed.jump or (),
        parsed.family,
        parsed.alias,
        parsed.only_identity,
        parsed.certificates,
        parsed.host_key_options,
        parsed.identity_agent,
        parsed.proxy_command,
    )


def _format_hop(hop: HostSpec) -> str:
    user = f"{hop.user}@" if hop.user else ""
    port = f":{hop.port}" if hop.port != SSH_PORT else ""
    return f"{user}{bracket_ipv6(hop.host)}{port}"


def format_hops(hops: tuple[HostSpec, ...]) -> str:
    """Format hops as -J and ProxyJump take them; `parse_hops` is the inverse."""
    return ",".join(_format_hop(hop) for hop in hops)


def parse_hops(text: str) -> tuple[HostSpec, ...]:
    """Parse the value of -J or ProxyJump: `[user@]host[:port],...`; `none` means no hop."""
    if text.lower() == "none":
        return ()
    return tuple(spec_with_defaults(_parse_destination(hop)) for hop in text.split(","))


def _parse_destination(text: str) -> ParsedDestination:
    scheme, separator, rest = text.partition("://")
    if separator:
        if scheme.lower() != "ssh":
            raise Problem("remote.host.bad_scheme", ExitCode.CONFIG, scheme=to_printable(scheme))
        text = unquote(rest.rstrip("/"), errors="replace")
    user, host, port = split_destination(text)
    return ParsedDestination(host=host, port=port, user=user)


def parse_ssh_line(text: str) -> ParsedDestination:
    """Parse a line without filling in defaults; raises only Problem (remote.host.*)."""
    if "'" not in text and '"' not in text:
        # Unquoted, a backslash can only be a Windows path, which a POSIX shell would eat.
        text = text.translate(_TYPOGRAPHY).replace("\\", "\\\\")
    try:
        words = shlex.split(text)
    except ValueError:
        raise Problem("remote.host.open_quote", ExitCode.CONFIG) from None
    if words and words[0] == "$":
        words = words[1:]
    program = re.split(r"[/\\]", words[0])[-1].lower() if words else ""
    if program == "sshpass":  # its -p is a password, which must not be taken for a port
        raise Problem("remote.host.password_inside", ExitCode.CONFIG)
    if program in ("ssh", "ssh.exe", "sftp"):
        words = words[1:]
    if not words:
        raise Problem("remote.host.empty", ExitCode.CONFIG)
    return _SSHArguments(words).parse()


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
class _SSHArguments:
    """Reads the words after `ssh` the way ssh's own getopt does, options before or after host."""

    words: list[str]
    destination: str = ""
    hostname: str = ""
    port: int | None = None
    user: str = ""
    identity: list[str] = field(default_factory=list)
    jump: tuple[HostSpec, ...] | None = None
    family: Family = "auto"
    alias: str = ""
    only_identity: bool = False
    certificates: list[str] = field(default_factory=list)
    host_key_options: HostKeyOptions = HostKeyOptions()
    identity_agent: str = ""

    def parse(self) -> ParsedDestination:
        """Read all words; raises Problem (remote.host.*)."""
        extra: list[str] = []
        while self.words:
            word = self.words.pop(0)
            if word == "#":
                self.alias = _check_alias(self.words)
                break
            if word == "--":
                continue
            if word.startswith("-") and len(word) > 1:
                self._read_option(word[1:])
            elif not self.destination:
                self.destination = word
            else:
                extra.append(word)
        if not self.destination:
            raise Problem("remote.host.no_host", ExitCode.CONFIG)
        parsed = _parse_destination(self.destination)
        if len(extra) == 1 and extra[0].isdigit() and self.port is None and parsed.port is None:
            self.port = check_port(extra.pop())  # "host 41022", as some panels print it
        if extra:
            # The extra words are not repeated: people paste the password behind the address.
            raise Problem("remote.host.extra_words", ExitCode.CONFIG, count=len(extra))
        if parsed.port is not None and self.port is not None and parsed.port != self.port:
            raise Problem("remote.host.two_ports", ExitCode.CONFIG, one=parsed.port, two=self.port)
        return ParsedDestination(
            host=check_host(self.hostname) if self.hostname else parsed.host,
            port=self.port if parsed.port is None else parsed.port,
            user=parsed.user or self.user,
            identity=tuple(self.identity),
            jump=self.jump,
            family=self.family,
            alias=self.alias or (parsed.host if self.hostname else ""),
            only_identity=self.only_identity,
            certificates=tuple(self.certificates),
            host_key_options=self.host_key_options,
            identity_agent=self.identity_agent,
        )

    def _read_option(self, letters: str) -> None:
        letter, rest = letters[0], letters[1:]
        if letter in "46" or letter in _IGNORED_FLAGS:
            if letter in "46":
                self.family = "4" if letter == "4" else "6"
            if rest:
                self._read_option(rest)
            return
        keyword = {"p": "port", "P": "port", "l": "user", "i": "identityfile", "J": "proxyjump"}
        if letter not in keyword and letter != "o" and letter not in _IGNORED_WITH_VALUE:
            raise Problem(
                "remote.host.bad_option", ExitCode.CONFIG, option=to_printable(f"-{letter}")
            )
        if not rest and not self.words:
            raise Problem("remote.host.no_value", ExitCode.CONFIG, option=f"-{letter}")
        value = rest or self.words.pop(0)
        if letter == "o":
            name, _, value = value.replace("=", " ", 1).partition(" ")
            self._apply_keyword(name.lower(), value.strip())
        elif letter in keyword:
            self._apply_keyword(keyword[letter], value)

    def _apply_keyword(self, name: str, value: str) -> None:
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
            self.family = ADDRESS_FAMILIES.get(value.lower(), "auto")
        elif name == "identitiesonly":
            self.only_identity = value.lower() == "yes"
        elif name == "hostname":
            self.hostname = value
        elif name == "identityagent":
            if not value or not value.isprintable():
                raise Problem("remote.host.bad_identity", ExitCode.CONFIG)
            self.identity_agent = value
        elif name == "proxycommand":
            # A pasted line runs no program of this computer; the user's own configuration may.
            raise Problem("remote.host.bad_option", ExitCode.CONFIG, option="-o ProxyCommand")
        else:
            self.host_key_options = self.host_key_options.with_option(name, value)
