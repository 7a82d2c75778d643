"""Measures a server, and keeps what was measured on this laptop as signed rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.bench_row import MAX_ROW_BYTES, BenchRow
from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.measured import Measurement
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.signature import fits, sign
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.locked_file import edit_lines
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.json_lines import run_engine_command
from sovdeck.remote.transfer.download.part_file import disk_errors

TIMEOUT_S = 3600.0  # a small CPU with networks of real size
_MAX_ROWS = 500


@dataclass(frozen=True)
class KeptRow:
    """A row, the server it was measured on, and whether its signature fits."""

    row: BenchRow
    server: str
    public: str
    signature: str

    @property
    def signed(self) -> bool:
        """False for a row that was changed after it was measured."""
        return fits(_signed_bytes(self.row, self.server), self.public, self.signature)

    def as_json(self) -> dict[str, Any]:
        """The line that is kept."""
        return {
            "row": self.row.as_json(),
            "server": self.server,
            "public_key": self.public,
            "signature": self.signature,
        }

    @classmethod
    def parse(cls, line: bytes) -> KeptRow | None:
        """Read a line; None for anything that is none of ours."""
        try:
            raw = parse_json(line)
        except ValueError:
            return None
        if not isinstance(raw, dict):
            return None
        row = BenchRow.parse(raw.get("row"))
        texts = [raw.get(name) for name in ("server", "public_key", "signature")]
        # Printable: half a surrogate pair cannot be signed.
        if row is None or not all(isinstance(one, str) and one.isprintable() for one in texts):
            return None
        return cls(row, *map(str, texts))


class BenchRows:
    """The rows of this laptop, one file."""

    def __init__(self, app_paths: AppPaths) -> None:
        self._file = app_paths.bench_rows
        self._key = app_paths.private_key

    def keep(self, row: BenchRow, server: str) -> KeptRow:
        """Sign a row and append it."""
        public, signature = sign(_signed_bytes(row, server), self._key)
        kept = KeptRow(row, server, public, signature)
        # Readable by its owner alone: it names the server.
        with disk_errors(self._file), edit_lines(self._file) as lines:
            lines.append(json.dumps(kept.as_json(), sort_keys=True) + "\n")
        return kept

    def read(self) -> Iterator[KeptRow]:
        """Every row that can be read, oldest first."""
        try:
            with self._file.open("rb") as file:
                lines = file.read(_MAX_ROWS * MAX_ROW_BYTES).splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            kept = KeptRow.parse(line)
            if kept is not None:
                yield kept

    def measurements(self, gpu_name: str | None, server: str) -> tuple[Measurement, ...]:
        """What was measured on this model of GPU, wherever; of the server itself without a GPU."""
        return tuple(
            one
            for kept in self.read()
            if (kept.row.device == gpu_name if gpu_name else kept.server == server) and kept.signed
            for one in kept.row.measurements
        )


def bench_server(
    session: ServerSession, rows: BenchRows, *, tiny: bool = False, parts: Sequence[str] = ()
) -> KeptRow:
    """Measure a deployed server and keep the row here and there; Problem when that fails."""
    deployed = session.require_deployment()
    args = ["bench", "--work", str(deployed.layout.work)]
    args += ["--tiny"] if tiny else []
    args += [argument for part in parts for argument in ("--part", part)]
    answers = run_engine_command(session.connection(), deployed, args, timeout=TIMEOUT_S)
    row = BenchRow.parse(answers[-1] if answers else None)
    if row is None:
        raise Problem(
            "remote.job.bad_answer",
            ExitCode.INTERNAL,
            server=session.name,
            command="engine bench",
            why="no row",
        )
    return rows.keep(row, session.name)


def _signed_bytes(row: BenchRow, server: str) -> bytes:
    return row.canonical() + b"\n" + server.encode()


def shared_row(kept: KeptRow, file: Path) -> None:
    """Write one row to a file of its own, to be sent to others."""
    with disk_errors(file):
        file.write_text(json.dumps(kept.as_json(), indent=1, sort_keys=True) + "\n", "utf-8")
