"""Looks for exact wheels in package indexes, with limits; on the server, or here by import.

Standard library only, Python 3.7 and newer. On a server it is sent as text and run with
`python -I -c TEXT REQUEST_JSON`; the last line it prints is the answer.

Request: {"bases", "build", "packages": {name: release prefix}, "python": "cp311",
"machine": "x86_64", "plain": [index address], "limit": seconds}.
Answer: {"sources": [{"base", "layout", "address", "wheels": {name: version}, "bytes", "speed"}],
"plain": [those that answered], "failed": {address: why}}. A source offers at least the first
package. layout: "index" (a page a package, PEP 503) or "folder" (one page of files).
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
import time
from functools import partial
from urllib.error import URLError
from urllib.parse import unquote, urljoin
from urllib.request import Request, urlopen

TYPE_CHECKING = False  # known to type checkers without importing anything
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PAGE_BYTES = 16 << 20
_SAMPLE_BYTES = 1 << 20
_ANSWER_S = 8.0
_HREF = re.compile(rb"href\s*=\s*[\"']([^\"'#]+)", re.I)


def find_wheels(request: dict[str, Any]) -> dict[str, Any]:
    """Ask every address at once; what has not answered within the limit counts as failed."""
    found: dict[str, Any] = {}
    reached: list[str] = []
    failed: dict[str, str] = {}
    lock = threading.Lock()

    def note(address: str, work: Callable[[], Any]) -> None:
        try:
            result = work()
        except (OSError, ValueError, URLError) as error:
            result = str(error) or type(error).__name__
        with lock:
            if isinstance(result, str):
                failed[address] = result[:200]
            elif result is None:
                reached.append(address)
            else:
                found[address] = result

    name = next(iter(request["packages"]), "pip")
    jobs: list[tuple[str, Callable[[], Any]]] = [
        (base, partial(_look, base, request)) for base in request["bases"]
    ]
    jobs += [(index, partial(_touch, f"{index.rstrip('/')}/{name}/")) for index in request["plain"]]
    threads = [threading.Thread(target=note, args=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + request["limit"]
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    with lock:
        late = [a for a, _ in jobs if a not in found and a not in reached and a not in failed]
        return {
            "sources": [found[base] for base in request["bases"] if base in found],
            "plain": [index for index in request["plain"] if index in reached],
            "failed": {**failed, **dict.fromkeys(late, "no answer")},
        }


def _look(base: str, request: dict[str, Any]) -> dict[str, Any] | str:
    """What one base offers, or why it offers nothing."""
    address = f"{base.rstrip('/')}/{request['build']}"
    names = list(request["packages"])
    layout = "index"
    wheels: dict[str, tuple[str, str] | None] = {}
    try:
        for name in names:
            wheels[name] = _newest(_hrefs(f"{address}/{name}/"), name, request)
    except (OSError, ValueError, URLError):
        if not wheels:  # no page of the first package
            layout = "folder"
            page = _hrefs(address + "/")
            wheels = {name: _newest(page, name, request) for name in names}
    first = wheels.get(names[0])
    if first is None:
        return "it does not hold this wheel"
    size, speed = _sample(first[1])
    return {
        "base": base,
        "layout": layout,
        "address": address + ("/" if layout == "folder" else ""),
        "wheels": {name: wheel[0] for name, wheel in wheels.items() if wheel},
        "bytes": size,
        "speed": speed,
    }


def _open(address: str, headers: dict[str, str] | None = None) -> Any:
    if not address.startswith(("http://", "https://")):
        raise ValueError("not a web address")
    request = Request(address, headers=headers or {})  # noqa: S310 - looked at above
    return urlopen(request, timeout=_ANSWER_S)  # noqa: S310


def _touch(address: str) -> None:
    with _open(address) as response:
        response.read(4096)


def _hrefs(address: str) -> list[tuple[str, str]]:
    """(file name, address) of every link on a page."""
    with _open(address) as response:
        page, base = response.read(_PAGE_BYTES), response.geturl()
    links = (urljoin(base, raw.decode("utf-8", "replace")) for raw in _HREF.findall(page))
    return [(unquote(link.rpartition("/")[2]), link) for link in links]


def _newest(
    links: list[tuple[str, str]], name: str, request: dict[str, Any]
) -> tuple[str, str] | None:
    """(version, address) of the newest wheel of that build for that Python; None without one."""
    prefix, build = request["packages"][name], request["build"]
    found = []
    for file, link in links:
        parts = file[:-4].split("-") if file.endswith(".whl") else []
        if len(parts) != 5 or parts[0].lower() != name:
            continue
        release, _, local = parts[1].partition("+")
        pythons, abis = parts[2].split("."), parts[3].split(".")
        fits = request["python"] in pythons and request["python"] in abis
        fits = fits or ("abi3" in abis and any(p.startswith("cp3") for p in pythons))
        numbers = [int(n) for n in release.split(".") if _is_number(n)]
        if (
            (release == prefix or release.startswith(prefix + "."))
            and local == build
            and fits
            and parts[4].endswith(request["machine"])
        ):
            found.append((numbers, parts[1], link))
    if not found:
        return None
    _, version, address = max(found)
    return version, address


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def _sample(address: str) -> tuple[int | None, float | None]:
    """(bytes of the file or None, bytes a second of its first MiB or None)."""
    with _open(address, {"Range": f"bytes=0-{_SAMPLE_BYTES - 1}"}) as response:
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        total = total or response.headers.get("Content-Length", "")
        began, got = time.monotonic(), 0
        while got < _SAMPLE_BYTES and time.monotonic() - began < _ANSWER_S:
            piece = response.read(min(65536, _SAMPLE_BYTES - got))
            if not piece:
                break
            got += len(piece)
        seconds = time.monotonic() - began
    return (int(total) if _is_number(total) else None), (got / seconds if seconds > 0 else None)


def main() -> None:
    """Print the answer; a name look-up that never returns is left behind."""
    socket.setdefaulttimeout(_ANSWER_S)
    print(json.dumps(find_wheels(json.loads(sys.argv[1]))))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
