"""Lists what lies on a server's disk, and removes what a person chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sovdeck.engine.contract.foreign_values import parse_whole_number
from sovdeck.engine.contract.layout import WEIGHT_FOLDERS
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent import read_script
from sovdeck.remote.disk.items import KINDS, DiskItem, ServerKnowledge, mark_items
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.transfer.agent.remote_files import list_files
from sovdeck.remote.voices.download_index import DownloadIndex
from sovdeck.remote.voices.listing import list_run_voices, version_of

_WATCH_FOLDERS = tuple(f"runs/{run}" for run in job_client.WATCH_RUNS)
_LIST_LIMIT_S = 600.0  # du over millions of files on a slow network disk


@dataclass(frozen=True)
class ServerDisk:
    """What may be removed from a server; `now` is its own clock, in Unix seconds."""

    items: tuple[DiskItem, ...]
    now: int
    working: tuple[str, ...]


def list_server_disk(session: ServerSession) -> ServerDisk:
    """What lies in the work folder by kind, each with the mark of what its removal costs."""
    connection, deployed = session.connection(), session.require_deployment()
    layout = deployed.layout
    work = str(layout.work)
    result = connection.script(read_script("disk_usage.sh"), [work], timeout=_LIST_LIMIT_S)
    listed, now = parse_usage(result.out.decode("utf-8", "surrogateescape"))
    items = [one for one in listed if one.path not in _WATCH_FOLDERS]
    samples = [item.path for item in items if item.kind == "samples"]
    there = list_files(connection, work, [*WEIGHT_FOLDERS, "packs", *samples])
    voices = dict(list_run_voices(connection, layout))
    states = job_client.list_runs(connection, layout, services=True)
    at_work = [one.run_id for one in states if not one.ended and one.state != "unknown"]
    watches = tuple(run for run in at_work if run in job_client.WATCH_RUNS)
    working = {run: voices.get(run, "") for run in at_work if run not in watches}
    known = ServerKnowledge(
        DownloadIndex(session.outputs).verified_on(connection.name),
        {one.path: version_of(one.size, one.mtime) for one in there},
        frozenset(_dataset_names(session)),
        working,
        watches,
        deployed.code_sha,
        deployed.python.removeprefix(f"{work}/"),
    )
    return ServerDisk(mark_items(items, known), now, tuple(working))


def remove_from_server(
    session: ServerSession, disk: ServerDisk, chosen: Sequence[DiskItem]
) -> tuple[DiskItem, ...]:
    """Remove the chosen items and return those that are gone.

    Problem `clean_busy` when a run was started since they were listed: nothing is removed then.
    """
    work = str(session.layout().work)
    stdin = "".join(f"{item.path}\n" for item in chosen).encode("utf-8", "surrogateescape")
    script = ["sh", "-c", read_script("remove_items.sh"), "sh", work]
    script += [*disk.working, *job_client.WATCH_RUNS]
    result = session.connection().run(script, stdin=stdin, timeout=_LIST_LIMIT_S)
    gone = set()
    for line in result.out.decode("utf-8", "surrogateescape").split("\n"):
        word, _, name = line.partition(" ")
        if word == "busy":
            raise Problem("remote.disk.busy", ExitCode.CONFIG, server=session.name, run=name[:100])
        if word == "removed":
            gone.add(name)
    return tuple(item for item in chosen if item.path in gone)


def parse_usage(output: str) -> tuple[list[DiskItem], int]:
    """The items in the answer of disk_usage.sh, and the server's time; what does not fit is out."""
    sizes: dict[tuple[str, str], int] = {}
    times: Mapping[tuple[str, str], int]
    now, times = 0, {}
    for line in output.split("\n"):
        word, _, rest = line.partition(" ")
        if word == "now":
            now = parse_whole_number(rest) or now
        parts = rest.split(" ", 2)
        if word not in ("size", "time") or len(parts) < 3:
            continue
        key, number = (parts[0], parts[2]), parse_whole_number(parts[1])
        if number is None:
            continue
        if word == "size":
            sizes[key] = number << 10
        else:
            times[key] = number
    items = [
        DiskItem(kind, path, size, times.get((kind, path), now))
        for kind in KINDS
        for (its_kind, path), size in sorted(sizes.items())
        if its_kind == kind and _is_below(path)
    ]
    return items, now


def _is_below(path: str) -> bool:
    return bool(path) and not path.startswith("/") and ".." not in path.split("/")


def _dataset_names(session: ServerSession) -> list[str]:
    work = session.layout().work
    result = session.connection().run(["ls", "-1", "--", str(work / "data")])
    return result.out.decode("utf-8", "replace").split("\n")
