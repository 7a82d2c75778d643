"""What an audition left on the disk: its table, the votes, and the pair that was chosen."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from engine.chosen_pair import read_choice, write_choice
from engine.contract.audition import Standing
from engine.contract.problem import ExitCode, Problem
from engine.runtime.durable import sha256
from engine.speaking.ballot import about, standings


class Results:
    """One voice's audition in `folder` (auditions/NAME); its choice lies in `features`."""

    def __init__(self, folder: Path, features: Path) -> None:
        self.folder = folder
        self._features = features
        self._digests: dict[str, str] = {}

    def rows(self) -> list[dict[str, Any]]:
        """Cells in the order they were rendered; Problem when there was no audition."""
        return read_lines(self.folder / "table.jsonl")

    def votes(self) -> list[dict[str, Any]]:
        """Those between sounds of the table: out of it is what was voted on in other grids, and
        what other weights of the same name have said."""
        path = self.folder / "votes.jsonl"
        if not path.is_file():
            return []
        sounds = {row["cell"]: row.get("sha256") for row in self.rows() if self.holds(row)}
        return [one for one in read_lines(path) if _between(one, sounds)]

    def vote(self, better: str, worse: str) -> None:
        """Count one vote between two cells of the table, each `NAME` or `NAME@SHA256`.

        Problem when one is not in the table, sounds otherwise than what was heard, or comes from
        weights that were trained again since.
        """
        rows = {str(row["cell"]): row for row in self.rows()}
        line = {}
        for side, given in (("better", better), ("worse", worse)):
            name, at, heard = given.rpartition("@")
            if given in rows or not at:
                name, heard = given, ""
            if name not in rows:
                raise Problem("engine.speaking.no_cell", ExitCode.CONFIG, cell=name)
            line[side], line[f"{side}_sha256"] = name, rows[name].get("sha256")
            if not self.holds(rows[name]) or heard not in ("", rows[name].get("sha256")):
                raise Problem("engine.speaking.other_sound", ExitCode.CONFIG, cell=name)
        content = json.dumps(line, ensure_ascii=False) + "\n"
        with (self.folder / "votes.jsonl").open("ab") as file:
            file.write(content.encode())
            file.flush()
            os.fsync(file.fileno())

    def choose(self, gpt: str, sovits: str) -> None:
        """Let the pack take this pair; Problem unless the audition heard it."""
        heard = [
            row for row in self.rows()
            if _ranked(row) and (row.get("gpt"), row.get("sovits")) == (gpt, sovits)
        ]  # fmt: skip
        if not heard:
            raise Problem("engine.speaking.no_pair", ExitCode.CONFIG, gpt=gpt, sovits=sovits)
        if not any(self.holds(row) for row in heard):
            raise Problem("engine.speaking.other_weights", ExitCode.CONFIG, gpt=gpt, sovits=sovits)
        write_choice(self._features, gpt, sovits)

    def chosen(self) -> tuple[str, str] | None:
        return read_choice(self._features)

    def standings(self, more_votes: list[dict[str, Any]]) -> list[Standing]:
        """Pairs from best to worst, by marks and all votes."""
        rows = [row for row in self.rows() if self.holds(row)]
        return standings(rows, [*self.votes(), *more_votes])

    def stale(self) -> int:
        """How many cells have no place, since their weights were trained again."""
        return sum(_ranked(row) and not self.holds(row) for row in self.rows())

    def holds(self, row: dict[str, Any]) -> bool:
        """Whether the weights that spoke this row are still what lies under their names."""
        return all(self._same(*origin) for origin in row.get("weights", ()))

    def _same(self, path: str, size: int, modified: int, digest: str) -> bool:
        try:
            now = Path(path).stat()
        except OSError:
            return False
        if (now.st_size, now.st_mtime_ns) == (size, modified):
            return True
        if path not in self._digests:  # copied back or only touched: the content decides
            self._digests[path] = sha256(Path(path))
        return self._digests[path] == digest


def _between(vote: dict[str, Any], sounds: dict[Any, Any]) -> bool:
    return all(
        vote.get(side) in sounds and f"{side}_sha256" in vote and about(vote, side, sounds)
        for side in ("better", "worse")
    )


def _ranked(row: dict[str, Any]) -> bool:
    return row.get("kind", "cell") == "cell"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """JSON objects of a file, one a line; Problem when there is no such file."""
    try:
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    except (OSError, ValueError) as error:
        raise Problem(
            "engine.speaking.no_table", ExitCode.DATA, file=str(path), why=str(error)
        ) from error
    return [line for line in lines if isinstance(line, dict)]
