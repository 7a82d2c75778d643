"""A made-up dataset: 214 clips of which some deserve a second look."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sovdeck.engine.contract.dataset.check import check_clips
from sovdeck.engine.contract.dataset.clip import ClipMeasurement
from sovdeck.engine.contract.dataset.edits import LineEdit
from sovdeck.engine.contract.dataset.items import LANGUAGE_TAGS, DatasetItem, DatasetManifest
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.services.dataset_check import DatasetFiles, make_dataset_report
from sovdeck.tui.state.models import DatasetReport

BYTES = 238_117_004
CLIPS = 214
_TEXTS = (
    "夏生さん、今日はどこへ行きますか？",
    "わたしは高性能ですから！",
    "海の底は、とても静かでした。",
    "もう一度、歌ってもいいですか。",
    "それは心というものだと思います。",
    "おはようございます、夏生さん。",
)
_CLEAN_CLIP = ClipMeasurement(4.0, 44100, 1, peak=0.6, level_db=-21.0, noise_db=-62.0, clipped=0.0)


def _transcript(line: int) -> str:
    if line % 53 == 0:
        return f"Good morning, this is the voice number {line}."
    return "".join(_TEXTS[(line + n) % len(_TEXTS)] for n in range(1 + line % 3))


class FakeDataset:
    """Lines and recordings in memory, checked by the same rules as real ones."""

    def __init__(self) -> None:
        self.lines: dict[int, str] = {}
        self.edits: tuple[LineEdit, ...] = ()
        for line in range(1, CLIPS + 4):
            language = "ja" if line % 53 else "en"
            self.lines[line] = f"ATR_b101_{line:03}.wav|ATRI|{language}|{_transcript(line)}"
        self.lines[12] = self.lines[12].rpartition("|")[0] + "|はい。"
        self.lines[31] += "そして、この文には録音されていない言葉がまだたくさん続いています。"
        self.lines[57] = "ATR_b101_057.wav|ATRI|ja"
        self.lines[88] = self.lines[88].replace("|ja|", "|jpn|")

    def measure(self, path: Path) -> ClipMeasurement:
        """The made-up measurement of a recording; a few lines have a fault each."""
        line = int(path.stem.rsplit("_", 1)[1])
        facts = replace(_CLEAN_CLIP, seconds=len(_transcript(line)) / 4.6 + line % 7 * 0.05)
        if line == 140:
            return replace(facts, seconds=0.4)
        if line == 66:
            return replace(facts, clipped=0.006, peak=1.0)
        if line == 19:
            return replace(facts, noise_db=-36.0)
        return replace(facts, channels=2) if line == 201 else facts

    def edit(self, edit: LineEdit) -> None:
        """Correct a line; Problem when it is not as it was read."""
        if self.lines.get(edit.line) != edit.before:
            raise Problem("engine.data.line_moved", ExitCode.DATA, line=edit.line)
        self.lines[edit.line] = edit.after

    def report(self, folder: Path) -> DatasetReport:
        """The report of the current lines."""
        source = folder / f"{folder.name}.list"
        items, problems = [], []
        for line, words in self.lines.items():
            fields = words.split("|")
            where = {"file": source.name, "line": line}
            if len(fields) != 4:
                problems.append(
                    Problem("engine.data.fields", ExitCode.DATA, count=len(fields), **where)
                )
            elif fields[2] not in LANGUAGE_TAGS:
                problems.append(
                    Problem(
                        "engine.data.unknown_language", ExitCode.DATA, language=fields[2], **where
                    )
                )
            else:
                name, speaker, language, text = fields
                items.append(DatasetItem(line, name, folder / name, speaker, language, text))
        manifest = DatasetManifest(source, tuple(items), tuple(problems))
        checked = check_clips(manifest, self.measure)
        return make_dataset_report(
            DatasetFiles(folder, source, None),
            manifest,
            checked,
            dict(self.lines),
            BYTES,
            self.edits,
        )
