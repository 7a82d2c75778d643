"""What the installed OpenSSH makes of the user's configuration: `ssh -G`.

It knows Match exec, tokens, Include and the system's own file, in the user's own version of
OpenSSH. Where there is no ssh, `sovdeck.remote.hosts.ssh_config_parser` reads the files.
"""

from __future__ import annotations

import getpass
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.hosts.ssh_config_parser import SSHConfigSettings

_TIMEOUT_S = 10.0
_KEYWORDS = frozenset(
    {
        "addressfamily",
        "certificatefile",
        "hostkeyalias",
        "hostname",
        "identitiesonly",
        "identityagent",
        "identityfile",
        "port",
        "proxycommand",
        "proxyjump",
        "stricthostkeychecking",
        "user",
        "userknownhostsfile",
    }
)
# What `ssh -G` prints where nothing is configured.
_USUAL_KEY = re.compile(r"~/\.ssh/id_[a-z0-9_]+\Z")
_USUAL_KEYS = 4  # a user who names some of them names fewer
_USUAL_KNOWN_HOSTS = re.compile(r"\S*/\.ssh/known_hosts \S*/\.ssh/known_hosts2\Z")


def find_openssh() -> str | None:
    """Return the path of the system's ssh; None where there is none."""
    return shutil.which("ssh")


def lookup_with_openssh(
    ssh: str, host: str, user: str, port: int | None, config: Path
) -> SSHConfigSettings | None:
    """Return what `ssh user@host` would do; None where ssh does not take the configuration.

    config: the user's file. "" and None stand for what was not typed. Problem
    `remote.sshconfig.no_answer` when ssh does not answer in time.
    """
    argv = [ssh, "-G", *_config_arguments(config)]
    argv += ["-l", user] if user else []
    argv += ["-p", str(port)] if port else []
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and the host follows "--"
            [*argv, "--", host],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Problem(
            "remote.sshconfig.no_answer", ExitCode.CONFIG, host=host, seconds=int(_TIMEOUT_S)
        ) from None
    except OSError as error:
        logging.getLogger(__name__).info("%s was not started: %s", ssh, error.strerror)
        return None
    if done.returncode != 0:
        # Our own reader is more tolerant than an ssh that is older than the file.
        why = done.stderr.decode("utf-8", "replace").strip()[-200:]
        logging.getLogger(__name__).info("ssh -G did not take the configuration: %s", why)
        return None
    return parse_settings(done.stdout.decode("utf-8", "replace").splitlines())


def parse_settings(lines: Sequence[str]) -> SSHConfigSettings:
    """Parse the output of `ssh -G`, without what it prints by default."""
    settings = SSHConfigSettings()
    keys: list[str] = []
    for line in lines:
        name, _, value = line.strip().partition(" ")
        if name not in _KEYWORDS or not value or not value.isprintable():
            continue
        if name == "identityfile":
            keys.append(value)
        elif name == "userknownhostsfile":
            if not _USUAL_KNOWN_HOSTS.match(value):
                settings.add(name, value.split())
        elif name != "user" or value != getpass.getuser():
            settings.add(name, [value])
    if len(keys) < _USUAL_KEYS or not all(_USUAL_KEY.match(key) for key in keys):
        for key in keys:
            settings.add("identityfile", [key])
    return settings


def system_ssh_folder() -> Path:
    """Where OpenSSH has its files for all users of this computer.

    On Windows /etc/ssh would be a folder of the drive, which anybody may make.
    """
    if sys.platform == "win32":
        return Path(os.environ.get("PROGRAMDATA", "C:/ProgramData")) / "ssh"
    return Path("/etc/ssh")


def _config_arguments(config: Path) -> list[str]:
    """Name the file only where ssh would read another: it asks the system for the home folder."""
    if os.name == "posix":
        import pwd

        if config == Path(pwd.getpwuid(os.getuid()).pw_dir) / ".ssh" / "config":
            return []
    elif config == Path.home() / ".ssh" / "config":
        return []
    return ["-F", str(config)]
