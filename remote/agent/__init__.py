"""The scripts that run on a server, and the way to read them from the package.

Those in sh are POSIX and need neither Python nor root: a rented container has a shell before it
has anything else. Those in Python (transfers, stopping a server, an index of wheels) need the
standard library alone.

May import nothing of `remote` from a layer above.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

# Kept as files beside the engine's code on the server, since they outlive the connection.
INSTALLED_SCRIPTS = (
    "supervise.sh",
    "install.sh",
    "autostop.sh",
    "stop.sh",
    "stop_server.py",
    "keep.sh",
    "process.sh",
    "run_states.sh",
)
_SOURCE_LINE = re.compile(r'^\. "\$\{0%/\*\}/(\w+\.sh)"$', re.MULTILINE)


@cache
def read_script(name: str) -> str:
    """Return the text of `remote/agent/<name>` with the scripts it sources put in their place."""
    return _SOURCE_LINE.sub(lambda line: _read_file(line[1]), _read_file(name))


def _read_file(name: str) -> str:
    return (files("sovdeck.remote.agent") / name).read_text(encoding="utf-8")
