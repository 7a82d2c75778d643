"""What an audition left on the disk: its table, the votes, and the pair that was chosen."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.audition import Standing
from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.runtime.selected_weights import read_selection, write_selection
from sovdeck.engine.speaking.ranking import matches_sound, standings


class AuditionResults:
    """One voice's audition in `folder` (auditions/NAME); its choice lies in `features`."""

    def __init__(self, folder: Path, features: Path) -> None:
        self.folder = folder
        self._features = features
        self._digests: dict[str, str] = {}

    def rows(self) -> list[dict[str, Any]]:
        """Cells in the order they were rendered; Problem when there was no audition."""
        return read_json_lines(self.folder / "table.jsonl")

    def votes(self) -> list[dict[str, Any]]:
        """Votes between sounds of the table.

        Left out are votes of other grids, and on sounds of other weights of the same name.
        """
        path = self.folder / "votes.jsonl"
        if not path.is_file():
            return []
        sounds = {row["cell"]: row.get("sha256") for row in self.rows() if self.is_current(row)}
        return [vote for vote in read_json_lines(path) if _is_between_table_cells(vote, sounds)]

    def add_vote(self, better: str, worse: str) -> None:
        """Count one vote between two cells of the table, each `NAME` or `NAME@SHA256`.

        Problem when one is not in the table, sounds otherwise than when it was heard, or comes from
        weights that were trained again since.
        """
        rows = {str(row["cell"]): row for row in self.rows()}
        line = {}
        for side, given in (("better", better), ("worse", worse)):
            name, separator, heard_sha256 = given.rpartition("@")
            if given in rows or not separator:
                name, heard_sha256 = given, ""
            if name not in rows:
                raise Problem("engine.speaking.no_cell", ExitCode.CONFIG, cell=name)
            line[side], line[f"{side}_sha256"] = name, rows[name].get("sha256")
            if not self.is_current(rows[name]) or heard_sha256 not in (
                "",
                rows[name].get("sha256"),
            ):
                raise Problem("engine.speaking.other_sound", ExitCode.CONFIG, cell=name)
        content = json.dumps(line, ensure_ascii=False) + "\n"
        with (self.folder / "votes.jsonl").open("ab") as file:
            file.write(content.encode())
            file.flush()
            os.fsync(file.fileno())

    def choose_pair(self, gpt: str, sovits: str) -> None:
        """Let the pack take this pair; Problem unless the audition rendered it."""
        rendered = [
            row
            for row in self.rows()
            if _is_ranked(row) and (row.get("gpt"), row.get("sovits")) == (gpt, sovits)
        ]
        if not rendered:
            raise Problem("engine.speaking.no_pair", ExitCode.CONFIG, gpt=gpt, sovits=sovits)
        if not any(self.is_current(row) for row in rendered):
            raise Problem("engine.speaking.other_weights", ExitCode.CONFIG, gpt=gpt, sovits=sovits)
        write_selection(self._features, gpt, sovits)

    def chosen_pair(self) -> tuple[str, str] | None:
        """The chosen (GPT, SoVITS) file names; None without a choice."""
        return read_selection(self._features)

    def standings(self, more_votes: list[dict[str, Any]]) -> list[Standing]:
        """Rank pairs from best to worst, by metrics and all votes."""
        rows = [row for row in self.rows() if self.is_current(row)]
        return standings(rows, [*self.votes(), *more_votes])

    def count_stale(self) -> int:
        """Count the cells that are not ranked, since their weights were trained again."""
        return sum(_is_ranked(row) and not self.is_current(row) for row in self.rows())

    def is_current(self, row: dict[str, Any]) -> bool:
        """Whether the weights that spoke this row are still what lies under their names."""
        return all(self._is_unchanged(*stamp) for stamp in row.get("weights", ()))

    def _is_unchanged(self, path: str, size: int, modified: int, digest: str) -> bool:
        try:
            now = Path(path).stat()
        except OSError:
            return False
        if (now.st_size, now.st_mtime_ns) == (size, modified):
            return True
        if path not in self._digests:  # copied back or only touched: the content decides
            self._digests[path] = file_sha256(Path(path))
        return self._digests[path] == digest


def _is_between_table_cells(vote: dict[str, Any], sounds: dict[Any, Any]) -> bool:
    return all(
        vote.get(side) in sounds and f"{side}_sha256" in vote and matches_sound(vote, side, sounds)
        for side in ("better", "worse")
    )


def _is_ranked(row: dict[str, Any]) -> bool:
    return row.get("kind", "cell") == "cell"


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """JSON objects of a file, one a line; Problem when there is no such file."""
    try:
        lines = [parse_json(line) for line in path.read_bytes().splitlines()]
    except (OSError, ValueError) as error:
        raise Problem(
            "engine.speaking.no_table", ExitCode.DATA, file=str(path), why=str(error)
        ) from error
    return [line for line in lines if isinstance(line, dict)]
