"""What an audition left on the disk: its table, the votes, and the pair that was chosen."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from engine.chosen_pair import read_choice, write_choice
from engine.contract.problem import ExitCode, Problem
from engine.speaking.ballot import Standing, standings


class Results:
    """One voice's audition in `folder` (auditions/NAME); its choice lies in `features`."""

    def __init__(self, folder: Path, features: Path) -> None:
        self.folder = folder
        self._features = features

    def rows(self) -> list[dict[str, Any]]:
        """Cells in the order they were rendered; Problem when there was no audition."""
        return read_lines(self.folder / "table.jsonl")

    def votes(self) -> list[dict[str, Any]]:
        """Those between cells of the table: what was voted on in other grids is out of it."""
        path = self.folder / "votes.jsonl"
        if not path.is_file():
            return []
        cells = {row["cell"] for row in self.rows()}
        return [one for one in read_lines(path) if {one.get("better"), one.get("worse")} <= cells]

    def vote(self, better: str, worse: str) -> None:
        """Count one vote between two cells of the table; Problem when one is not in it."""
        cells = {str(row["cell"]) for row in self.rows()}
        for name in (better, worse):
            if name not in cells:
                raise Problem("engine.speaking.no_cell", ExitCode.CONFIG, cell=name)
        line = json.dumps({"better": better, "worse": worse}, ensure_ascii=False) + "\n"
        with (self.folder / "votes.jsonl").open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def choose(self, gpt: str, sovits: str) -> None:
        """Let the pack take this pair; Problem unless the audition heard it."""
        pairs = {(row.get("gpt"), row.get("sovits")) for row in self.rows() if _ranked(row)}
        if (gpt, sovits) not in pairs:
            raise Problem("engine.speaking.no_pair", ExitCode.CONFIG, gpt=gpt, sovits=sovits)
        write_choice(self._features, gpt, sovits)

    def chosen(self) -> tuple[str, str] | None:
        return read_choice(self._features)

    def standings(self, more_votes: list[dict[str, Any]]) -> list[Standing]:
        """Pairs from best to worst, by marks and all votes."""
        return standings(self.rows(), [*self.votes(), *more_votes])


def _ranked(row: dict[str, Any]) -> bool:
    return row.get("kind", "cell") == "cell"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """JSON objects of a file, one a line; Problem when there is no such file."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise Problem(
            "engine.speaking.no_table", ExitCode.DATA, file=str(path), why=str(error)
        ) from error
    return [line for line in lines if isinstance(line, dict)]
