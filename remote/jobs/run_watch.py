"""Follows the states of a server's runs over one channel: the server says which have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent import read_script
from sovdeck.remote.jobs.client import known_runs
from sovdeck.remote.jobs.state import JobState, parse_snapshots
from sovdeck.remote.ssh.channel_reader import ChannelReader, ConnectionSource, retry_delay
from sovdeck.remote.ssh.channel_stream import ChannelStream

LOOK_INTERVAL_S = 3
# One look: the state of tens of thousands of runs. What is longer is no answer of ours.
_LOOK_LIMIT = 32 << 20
_MOST_RUNS = 2000  # of one look: the newest by their names
_HEADER_KEYS = ("boot ", "server ")


class RunWatch:
    """Follows one server's runs; `close()` may be called from any thread."""

    def __init__(
        self,
        connection_source: ConnectionSource,
        layout: Layout,
        *,
        wait: Callable[[int], float] = retry_delay,
    ) -> None:
        self._reader = ChannelReader(connection_source, wait)
        self._runs = str(layout.work / "runs")

    def close(self) -> None:
        """End `changes`."""
        self._reader.close()

    def changes(self) -> Iterator[tuple[JobState, ...]]:
        """Yield every run, then each LOOK_INTERVAL_S those that changed or are at work.

        After a cut all are yielded again. Raises the Problem of the connection source when the
        server refuses us.
        """
        arguments = (self._runs, str(LOOK_INTERVAL_S))
        argv = ["sh", "-c", read_script("watch_runs.sh"), "watch", *arguments]
        failures = 0
        while not self._reader.closed:
            try:
                with self._reader.open(argv) as stream:
                    for look in _read_looks(stream):
                        failures = 0
                        yield known_runs(parse_snapshots(look))[-_MOST_RUNS:]
            except Problem as problem:
                if problem.exit_code is not ExitCode.UNREACHABLE:
                    raise
            self._reader.wait_before_retry(failures)
            failures += 1


def _read_looks(stream: ChannelStream) -> Iterator[str]:
    """Yield what each look printed, with the lines about the machine that only the first has."""
    rest, header = b"", ""
    while (data := stream.read()) and len(rest) < _LOOK_LIMIT:
        *looks, rest = (rest + data).split(b"\nend\n")
        for look in looks:
            text = look.decode("utf-8", "replace")
            first = [line for line in text.split("\n", 8)[:8] if line.startswith(_HEADER_KEYS)]
            if first:
                header = "\n".join(first) + "\n"
            yield header + text
