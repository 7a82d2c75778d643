"""Stops the rented server it runs on, or proves by a harmless call that it could.

    python -I stop_server.py prove WAY        the last line is JSON: {"proved": true, "way": ...}
                                              or {"proved": false, "code": ..., "why": ...}
    python -I stop_server.py stop WAY FILE    returns only when it has given up (exit 1); what it
                                              does is in FILE, one JSON object, meanwhile

WAY is one of WAYS, or "auto": whichever provider's names the container's environment holds. Every
way keeps the disk. Runs on the server: standard library only, Python >= 3.10. A key is read from
the container's environment and goes into one request header or a program's environment, never
into an argument, a file or an answer.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

VAST_API = "https://console.vast.ai/api/v0/instances"
RUNPOD_API = "https://rest.runpod.io/v1/pods"
CONTAINER_ENVIRONMENT = Path("/proc/1/environ")
# Where images keep what they show to login shells only.
ENVIRONMENT_FILES = (Path("/etc/rp_environment"), Path("/etc/environment"))
VAST_KEY_FILES = ("~/.vast_api_key", "~/.config/vastai/vast_api_key")
FIRST_PROCESS = Path("/proc/1/comm")
AUTODL_SHUTDOWN = "/usr/bin/shutdown"

REQUEST_TIMEOUT_S = 20.0
PROGRAM_TIMEOUT_S = 60.0
MAX_ANSWER_BYTES = 1 << 18
# After every try; together about two and a half hours, then somebody has to be told.
PAUSES_S = (15, 30, 60, 120, 300, 600, 900, 1800, 1800, 3600)
# An accepted stop may take this long: providers copy and unmount first.
SHUTDOWN_S = 180
MAX_RETRY_AFTER_S = 3600
REPORT_EVERY_S = 60
PROVE_PAUSES_S = (1, 3)
# Refusals that may be over at the next call.
PASSING = ("busy", "unreachable")


class StopRefused(Exception):
    """The stop cannot be made, or its proof failed.

    code: which sentence the laptop says. retry_after: seconds the provider asked us to wait.
    """

    def __init__(self, code: str, why: str = "", retry_after: float = 0) -> None:
        super().__init__(f"{code}: {why}" if why else code)
        self.code, self.why, self.retry_after = code, why, retry_after


def read_variable(name: str) -> str:
    """Return the container's variable; an SSH session often has not got it. "" when unset."""
    if os.environ.get(name):
        return os.environ[name]
    for file, separator in (
        (CONTAINER_ENVIRONMENT, "\0"),
        *((path, "\n") for path in ENVIRONMENT_FILES),
    ):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for line in text.split(separator):
            key, found, value = line.strip().removeprefix("export ").partition("=")
            if found and key == name and value:
                return value.strip("'\"")
    return ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another host."""

    def redirect_request(self, *_args: Any, **_options: Any) -> None:
        return None


def call_api(method: str, url: str, key: str, body: dict[str, str] | None = None) -> Any:
    """Return the JSON answer of a provider; StopRefused for everything but a success."""
    request = urllib.request.Request(  # noqa: S310 - one of the two addresses above
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        # Some guards in front of these services refuse urllib's own name.
        headers={"User-Agent": "sovdeck", "Content-Type": "application/json"},
    )
    # Unredirected headers stay with this host.
    request.add_unredirected_header("Authorization", f"Bearer {key}")
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=REQUEST_TIMEOUT_S) as answer:
            text = _read_bounded(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal_of_status(error, key) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = str(getattr(error, "reason", "") or error)
        raise StopRefused("unreachable", _printable(why, key)) from None
    try:
        return json.loads(text) if text.strip() else {}
    except ValueError:
        raise StopRefused("answered", "no JSON") from None


def _read_bounded(answer: Any) -> str:
    """Read at most MAX_ANSWER_BYTES in at most REQUEST_TIMEOUT_S."""
    deadline = time.monotonic() + REQUEST_TIMEOUT_S
    data = b""
    while len(data) < MAX_ANSWER_BYTES and (piece := answer.read1(1 << 16)):
        data += piece
        if time.monotonic() > deadline:
            raise TimeoutError("the answer did not end")
    return data.decode("utf-8", "replace")


def _refusal_of_status(error: urllib.error.HTTPError, key: str) -> StopRefused:
    try:
        text = error.read(2000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        text = ""
    why = f"HTTP {error.code} {_printable(text, key)}".strip()
    if error.code in (401, 403):
        return StopRefused("bad_key", why)
    if error.code == 429 or error.code >= 500:
        wait = error.headers.get("Retry-After", "")
        seconds = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 8 else 0.0
        return StopRefused("busy", why, min(seconds, MAX_RETRY_AFTER_S))
    return StopRefused("answered", why)


def _printable(text: str, key: str = "") -> str:
    """Return one short line without control characters and without the key."""
    if key:
        text = text.replace(key, "***")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:160]


def run_program(argv: list[str], key_name: str = "", key: str = "") -> str:
    """Return what a program printed; StopRefused when it fails, hangs or cannot be started."""
    environment = {**os.environ, key_name: key} if key else None
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program and the server's own number
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PROGRAM_TIMEOUT_S,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StopRefused("unreachable", f"{argv[0]} did not end in time") from None
    except OSError as error:
        raise StopRefused("no_program", f"{argv[0]}: {error.strerror}") from None
    text = done.stdout[:MAX_ANSWER_BYTES].decode("utf-8", "replace")
    if done.returncode != 0:
        raise StopRefused("answered", f"{argv[0]}: {_printable(text, key)}")
    return text


class Vast:
    """By the HTTP interface and the key that every container holds; images have no program."""

    provider = "Vast"

    def __init__(self) -> None:
        label = read_variable("VAST_CONTAINERLABEL")
        self.id = read_variable("CONTAINER_ID") or label.removeprefix("C.")
        self._key = read_variable("CONTAINER_API_KEY") or _first_line(VAST_KEY_FILES)
        if not self.id.isalnum():
            raise StopRefused("no_id", "CONTAINER_ID")
        if not self._key:
            raise StopRefused("no_key", "CONTAINER_API_KEY")

    @property
    def _url(self) -> str:
        return f"{VAST_API}/{self.id}/"

    def prove(self) -> str:
        """Read the own instance with the key that will stop it."""
        answer = call_api("GET", self._url, self._key)
        instance = answer.get("instances") if isinstance(answer, dict) else None
        found = instance.get("id") if isinstance(instance, dict) else None
        if str(found) != self.id:
            raise StopRefused("wrong_server", _printable(str(found)))
        return f"GET {self._url}"

    def stop(self) -> None:
        """Ask for state "stopped"; DELETE of the same address would destroy the instance."""
        answer = call_api("PUT", self._url, self._key, {"state": "stopped"})
        if isinstance(answer, dict) and answer.get("success") is False:
            raise StopRefused("answered", _printable(str(answer.get("msg", "")), self._key))


class RunPod:
    """By runpodctl, whose commands were turned round in 2026, or by the HTTP interface."""

    provider = "RunPod"

    def __init__(self) -> None:
        self.id = read_variable("RUNPOD_POD_ID")
        self._key = read_variable("RUNPOD_API_KEY")
        if not self.id.isalnum():
            raise StopRefused("no_id", "RUNPOD_POD_ID")
        if read_variable("RUNPOD_VOLUME_ID"):
            raise StopRefused("network_volume")

    def prove(self) -> str:
        """Read the own pod in the first way that works."""
        return self._first_working("get", self._find_pod_by_http)

    def stop(self) -> None:
        """Stop the pod in the first way that is not refused."""
        self._first_working("stop", self._stop_by_http)

    def _first_working(self, action: str, by_http: Callable[[], str]) -> str:
        attempts: list[Callable[[], str]] = []
        if shutil.which("runpodctl"):
            attempts += [
                lambda: self._run_program("pod", action),
                lambda: self._run_program(action, "pod"),
            ]
        if self._key:
            attempts.append(by_http)
        refusal = StopRefused("no_key", "RUNPOD_API_KEY")
        for attempt in attempts:
            try:
                return attempt()
            except StopRefused as error:
                if error.code == "network_volume":
                    raise
                refusal = error
        # That of the last way, HTTP, says most precisely what is wrong.
        raise refusal

    def _run_program(self, *words: str) -> str:
        text = run_program(["runpodctl", *words, self.id], "RUNPOD_API_KEY", self._key)
        if "get" in words and self.id not in text:
            raise StopRefused("wrong_server", "runpodctl does not know this pod")
        return " ".join(("runpodctl", *words))

    def _find_pod_by_http(self) -> str:
        url = f"{RUNPOD_API}/{self.id}"
        pod = call_api("GET", url, self._key)
        if not isinstance(pod, dict) or pod.get("id") != self.id:
            raise StopRefused("wrong_server", "another pod was answered")
        if pod.get("networkVolumeId") or pod.get("networkVolume"):
            raise StopRefused("network_volume")
        return f"GET {url}"

    def _stop_by_http(self) -> str:
        call_api("POST", f"{RUNPOD_API}/{self.id}/stop", self._key)
        return "stop"


class AutoDL:
    """By the image's own /usr/bin/shutdown, which takes no arguments."""

    provider = "AutoDL"

    def prove(self) -> str:
        """Look at the program only: whatever it is given, it may shut the server down."""
        if not os.access(AUTODL_SHUTDOWN, os.X_OK):
            raise StopRefused("no_program", AUTODL_SHUTDOWN)
        if os.geteuid() != 0:
            raise StopRefused("not_root", AUTODL_SHUTDOWN)
        return AUTODL_SHUTDOWN

    def stop(self) -> None:
        """Run it; that it ended well is no proof, so that it is run again until it works."""
        run_program([AUTODL_SHUTDOWN])


class PowerOff:
    """A box of one's own, where the person asked for it: the system's poweroff."""

    provider = "poweroff"

    def __init__(self) -> None:
        folders = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
        program = shutil.which("poweroff", path=folders)
        if program is None:
            raise StopRefused("no_program", "poweroff")
        self._program = program

    def prove(self) -> str:
        """Whether there is an init to power off, and the right to do it."""
        try:
            first = FIRST_PROCESS.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            first = ""
        if first not in ("systemd", "init"):
            raise StopRefused("container", _printable(first))
        if os.geteuid() != 0:
            try:
                run_program(["sudo", "-n", "-l", self._program])
            except StopRefused:
                raise StopRefused("not_root", self._program) from None
        return self._program

    def stop(self) -> None:
        """Power off."""
        run_program(["sudo", "-n", self._program] if os.geteuid() else [self._program])


WAYS: dict[str, Callable[[], Any]] = {
    "vast": Vast,
    "runpod": RunPod,
    "autodl": AutoDL,
    "poweroff": PowerOff,
}
_MARKS = (
    ("vast", ("VAST_CONTAINERLABEL", "CONTAINER_API_KEY")),
    ("runpod", ("RUNPOD_POD_ID",)),
    ("autodl", ("AutoDLContainerUUID",)),
)


def find_way(name: str) -> str:
    """Return the way's name; for "auto" that of the provider whose names are set."""
    if name != "auto":
        return name
    for way, names in _MARKS:
        if any(read_variable(one) for one in names):
            return way
    raise StopRefused("no_provider")


def prove(name: str, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """Make the harmless call; what only passes is tried again."""
    for pause in (*PROVE_PAUSES_S, None):
        try:
            way = find_way(name)
            return {"proved": True, "way": way, "by": WAYS[way]().prove()}
        except StopRefused as refusal:
            if pause is None or refusal.code not in PASSING:
                return {"proved": False, "code": refusal.code, "why": refusal.why}
            sleep(pause)
    raise AssertionError("unreachable")


def stop_until_off(
    name: str,
    report: Callable[[dict[str, Any]], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Ask for the stop until this process ends with its server; returns when it has given up.

    report: called with the state, the tries so far and the last answer, at least every
    REPORT_EVERY_S seconds. Providers answer too early, or of another moment: that we still run is
    the only proof that the server was not stopped.
    """
    why = ""
    for tries, pause in enumerate(PAUSES_S, 1):
        wait = float(pause)
        try:
            WAYS[find_way(name)]().stop()
            why = "accepted"
            wait = max(wait, SHUTDOWN_S)
        except StopRefused as refusal:
            why = str(refusal)
            wait = max(wait, refusal.retry_after)
        while wait > 0:
            report({"state": "trying", "tries": tries, "why": why})
            sleep(min(wait, REPORT_EVERY_S))
            wait -= REPORT_EVERY_S
    report({"state": "gave_up", "tries": len(PAUSES_S), "why": why})


def _first_line(names: tuple[str, ...]) -> str:
    for name in names:
        try:
            text = Path(name).expanduser().read_text(encoding="utf-8", errors="replace")
        except (OSError, RuntimeError):
            continue
        if text.strip():
            return text.split()[0]
    return ""


def _write_report(file: Path, report: dict[str, Any]) -> None:
    part = file.with_name(file.name + ".part")
    part.write_text(json.dumps({**report, "now": int(time.time())}) + "\n", encoding="utf-8")
    part.replace(file)


def main(argv: list[str]) -> int:
    """Run one of the two commands; see the module's docstring."""
    if argv[0] == "prove":
        print(json.dumps(prove(argv[1])))
        return 0
    file = Path(argv[2])
    stop_until_off(argv[1], lambda report: _write_report(file, report))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
