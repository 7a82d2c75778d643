"""What the events of runs come to: the server's summaries, so that few bytes travel."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from sovdeck.engine.contract.events import parse_event
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.run_summary import RunSummary, parse_summary
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.jobs.client import make_handle
from sovdeck.remote.ssh.client import SSHConnection

# A summary that a run lacks is made from all of its events, which is done once: half a minute for
# a million of them on a slow core.
_READ_LIMIT_S = 600.0


def fetch_summaries(
    connection: SSHConnection, deployed: Deployed, runs: Sequence[str], *, history: bool = False
) -> Mapping[str, RunSummary]:
    """The summary of each run, in one round trip; an empty one where there are no events.

    history: with whole lists and loss curves, some 100 kB a run. Where the engine there cannot
    tell, all events are read.
    """
    if not runs:
        return {}
    layout = deployed.layout
    options = ["--work", str(layout.work), *(["--history"] if history else [])]
    ids = [make_handle(layout, run).run_id for run in runs]
    result = connection.run(
        deployed.engine_argv(["summary", *options, *ids]), timeout=_READ_LIMIT_S
    )
    if result.code != 0:
        why = result.err.decode("utf-8", "replace").strip()[-300:]
        logging.getLogger(__name__).info("no summaries on %s: %s", connection.name, why)
        return {run: follow_summary(connection, deployed, run, RunSummary()) for run in runs}
    found = {}
    for run, line in zip(ids, result.out.split(b"\n"), strict=False):
        summary = parse_summary(line)
        if summary is not None:
            found[run] = summary
    if len(found) < len(ids):
        raise Problem(
            "remote.job.bad_answer",
            ExitCode.INTERNAL,
            server=connection.name,
            command="summary",
            why=result.out[-300:].decode("utf-8", "replace"),
        )
    return found


def follow_summary(
    connection: SSHConnection, deployed: Deployed, run: str, known: RunSummary
) -> RunSummary:
    """`known` with the complete events after it; an absent file has none."""
    path = str(deployed.layout.run(run).events)
    argv = ["tail", "-c", f"+{known.offset + 1}", "--", path]
    whole, newline, _unfinished = connection.run(argv, timeout=_READ_LIMIT_S).out.rpartition(b"\n")
    events = (parse_event(line) for line in whole.split(b"\n"))
    offset = known.offset + len(whole) + len(newline)
    return known.with_events((event for event in events if event is not None), offset)
