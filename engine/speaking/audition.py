"""Epochs against epochs: the same sentences by every pair of weights, with marks beside each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.audio.load import load
from engine.audio.resample import resample
from engine.runtime.durable import sha256, write_atomic
from engine.speaking.marks import Marks, Recogniser, VoicePrint, character_error_rate, measure
from engine.speaking.pipeline import Speaker
from engine.speaking.request import SpeakRequest
from engine.speaking.saved_samples import SavedSample
from engine.speaking.sound import RATE, wav_bytes
from engine.speaking.takes import Delivery, Take
from engine.speaking.verify import phone_error, plain
from engine.text.lexicon import Lexicon, without_readings
from engine.text.zh.normal import simplify

Open = Callable[[Path, Path], Speaker]


@dataclass(frozen=True)
class Sentence:
    """Words to be spoken; `truth` is a recording of them by the speaker, where there is one."""

    text: str
    language: str
    truth: Path | None = None


@dataclass(frozen=True)
class Grid:
    """Every GPT x SoVITS x reference x sentence, each with the same seed.

    `references` are requests whose text is replaced; `base` is the untrained pair to compare,
    `saved` are what training spoke at its saves: measured, not spoken again. Where a recogniser
    misses words, they are drawn again with other seeds, `rerolls` times at most.
    """

    gpt: Sequence[Path]
    sovits: Sequence[Path]
    references: Sequence[SpeakRequest]
    sentences: Sequence[Sentence]
    seed: int = 1234
    base: tuple[Path, Path] | None = None
    saved: Sequence[SavedSample] = ()
    rerolls: int = 0

    @property
    def cells(self) -> int:
        pairs = len(self.gpt) * len(self.sovits) + (self.base is not None)
        return pairs * len(self.references) * len(self.sentences) + len(self.saved)

    def truths(self) -> Iterator[tuple[str, int, Sentence, Path]]:
        """Name, sentence number, words and file of each recording to hear beside the cells.

        Without a recording of any sentence they are the clips that are imitated.
        """
        known = [(n, s) for n, s in enumerate(self.sentences) if s.truth is not None]
        for number, sentence in known:
            assert sentence.truth is not None
            yield f"truth-s{number}", number, sentence, sentence.truth
        if not known:
            for number, one in enumerate(self.references):
                yield f"truth-r{number}", -1, Sentence(one.ref_text, one.ref_lang), one.ref_audio

    @property
    def rows(self) -> int:
        """Cells, and the recordings that are heard beside them."""
        return self.cells + len(list(self.truths()))


class Audition:
    """Renders a grid into a folder: one wav a cell and `table.jsonl`, both as they appear."""

    def __init__(
        self,
        folder: Path,
        open_pair: Open,
        recogniser: Recogniser | None = None,
        voice_print: VoicePrint | None = None,
        lexicon: Lexicon | None = None,
    ) -> None:
        self.folder = folder
        self.open_pair = open_pair
        self.recogniser = recogniser
        self.voice_print = voice_print
        self.lexicon = lexicon
        self._digests: dict[Path, str] = {}

    def run(self, grid: Grid) -> Iterator[dict[str, Any]]:
        """Yield one row a cell, after its wav is on the disk; ground truth comes first.

        Tokens depend on the GPT alone, so each GPT draws a sentence once and every SoVITS
        speaks the same delivery: what differs between two cells is then only the timbre.
        A cell that an earlier audition rendered from the same files is not rendered again.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        table = self.folder / "table.jsonl"
        table.unlink(missing_ok=True)
        for row in self._rows(grid):
            with table.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            yield row

    def _rows(self, grid: Grid) -> Iterator[dict[str, Any]]:
        for name, number, sentence, path in grid.truths():
            yield self._heard_file(name, "truth", number, sentence, path, grid, {})
        for one in grid.saved:
            facts = {"run": one.run, "stage": one.stage, "epoch": one.epoch}
            sentence = Sentence(one.text, grid.references[0].ref_lang)
            yield self._heard_file(
                f"saved-{one.path.stem}", "saved", -1, sentence, one.path, grid, facts
            )
        pairs = [(g, grid.sovits, "cell") for g in grid.gpt]
        if grid.base is not None:
            pairs.append((grid.base[0], [grid.base[1]], "base"))
        for gpt, voices, kind in pairs:
            kept: dict[tuple[int, int], tuple[Delivery, int | None]] = {}
            for sovits in voices:
                speaker: Speaker | None = None
                for r, reference in enumerate(grid.references):
                    for s, sentence in enumerate(grid.sentences):
                        name = f"{kind}-{gpt.stem}-{sovits.stem}-r{r}-s{s}"
                        key = self._key(gpt, sovits, reference, sentence, grid)
                        row = self._kept(name, key)
                        if row is not None:
                            # A delivery goes on to the voices that are not rendered yet.
                            drawn = {k: tuple(t) for k, t in row.pop("delivery").items()}
                            kept[r, s] = drawn, row["attempts"]
                        else:
                            speaker = speaker or self.open_pair(gpt, sovits)
                            drawn, attempts = kept.get((r, s), (None, None))
                            take = self._speak(speaker, reference, sentence, grid, drawn)
                            if drawn is None and grid.rerolls:
                                attempts = max(piece.attempts for piece in take.pieces)
                            kept[r, s] = take.delivery, attempts
                            marks = replace(
                                self._marks(take, sentence, reference), attempts=attempts
                            )
                            facts = {"gpt": gpt.name, "sovits": sovits.name, "key": key}
                            row = self._row(
                                name, kind, s, sentence, take.samples, marks, facts, take.delivery
                            )
                        origin = [self._origin(gpt), self._origin(sovits)]
                        yield {**row, "sentence": s, "reference": r, "weights": origin}

    def _speak(
        self, speaker: Speaker, reference: SpeakRequest, sentence: Sentence, grid: Grid,
        kept: Delivery | None,
    ) -> Take:  # fmt: skip
        speaker.last = kept or {}
        speaker.recogniser = self.recogniser if grid.rerolls else None
        return speaker.speak(
            replace(
                reference, text=sentence.text, text_lang=sentence.language, seed=grid.seed,
                rerender_last=True, max_rerolls=grid.rerolls,
            )
        )  # fmt: skip

    def _key(
        self, gpt: Path, sovits: Path, reference: SpeakRequest, sentence: Sentence, grid: Grid
    ) -> str:
        """Names a cell by all that decides its sound and marks."""
        files = [gpt, sovits, reference.ref_audio, *reference.aux_refs]
        contents = [self._digest(file) for file in files]
        listeners = [self.recogniser is not None, self.voice_print is not None]
        words = "" if self.lexicon is None else self.lexicon.digest
        facts = [
            contents, str(reference), str(sentence), grid.seed, grid.rerolls, listeners, words,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()[:32]

    def _origin(self, weight: Path) -> list[Any]:
        """Path, size, time and content of a weight: whether it was trained again since."""
        facts = weight.stat()
        return [str(weight), facts.st_size, facts.st_mtime_ns, self._digest(weight)]

    def _digest(self, file: Path) -> str:
        if file not in self._digests:
            self._digests[file] = sha256(file)
        return self._digests[file]

    def _kept(self, name: str, key: str) -> dict[str, Any] | None:
        """The row of a cell that is here already, whole."""
        note, wav = self.folder / f"{name}.json", self.folder / f"{name}.wav"
        if not (note.is_file() and wav.is_file()):
            return None
        row: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        return row if row.get("key") == key and row["sha256"] == sha256(wav) else None

    def _heard_file(
        self, name: str, kind: str, number: int, sentence: Sentence, path: Path, grid: Grid,
        facts: dict[str, Any],
    ) -> dict[str, Any]:  # fmt: skip
        """A row of what stands in a file already."""
        samples = _read(path)
        marks = measure(samples, ended=True, **self._heard(samples, sentence, grid.references[0]))
        return self._row(name, kind, number, sentence, samples, marks, facts)

    def _marks(self, take: Take, sentence: Sentence, reference: SpeakRequest) -> Marks:
        expected = None
        if sentence.truth is not None:
            expected = measure(_read(sentence.truth), ended=True).seconds
        elif reference.ref_text.strip():
            # The speaker's own pace: the reference's seconds a character.
            pace = measure(_read(reference.ref_audio), ended=True).seconds
            expected = pace / max(1, _length(reference.ref_text)) * _length(sentence.text)
        samples = take.samples
        return measure(
            samples, ended=all(piece.ended for piece in take.pieces), expected_s=expected,
            **self._heard(samples, sentence, reference),
        )  # fmt: skip

    def _heard(
        self, samples: np.ndarray, sentence: Sentence, reference: SpeakRequest
    ) -> dict[str, Any]:
        """What the optional models say of the samples."""
        found: dict[str, Any] = {}
        if self.recogniser is not None and sentence.text.strip():
            language = plain(sentence.language)
            heard = self.recogniser.transcribe(samples, language)
            # Recognition writes simplified characters, whatever the text is written in.
            text = without_readings(sentence.text)
            found["cer"] = character_error_rate(simplify(text) if language == "zh" else text, heard)
            found["phone_error"] = phone_error(
                sentence.text, heard, sentence.language, self.lexicon
            )
        if self.voice_print is not None:
            own = self.voice_print.embed(_read(reference.ref_audio))
            found["similarity"] = float(own @ self.voice_print.embed(samples))
        return found

    def _row(
        self, name: str, kind: str, number: int, sentence: Sentence, samples: np.ndarray,
        marks: Marks, facts: dict[str, Any], delivery: Delivery | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        sound = wav_bytes(samples)
        write_atomic(self.folder / f"{name}.wav", sound)
        row = {
            "cell": name, "kind": kind, "sentence": number, "text": sentence.text,
            "wav": f"{name}.wav", "bytes": len(sound), "sha256": hashlib.sha256(sound).hexdigest(),
            **facts, **marks.as_json(), "penalty": round(marks.penalty, 4),
        }  # fmt: skip
        note = json.dumps({**row, "delivery": delivery}, ensure_ascii=False)
        write_atomic(self.folder / f"{name}.json", note.encode())
        return row


def _read(path: Path) -> np.ndarray:
    samples, rate = load(path)
    return resample(samples, rate, RATE)


def _length(text: str) -> int:
    return sum(char.isalnum() for char in without_readings(text))
