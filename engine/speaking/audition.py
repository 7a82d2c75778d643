"""Epochs against epochs: the same sentences by every pair of weights, with metrics beside each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sovdeck.engine.audio.load import load_mono
from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE, encode_wav
from sovdeck.engine.audio.resample import resample
from sovdeck.engine.contract.atomic_io import file_sha256, write_atomic
from sovdeck.engine.contract.foreign_values import read_optional_facts
from sovdeck.engine.contract.layout import weight_name
from sovdeck.engine.speaking.asr_check import phone_error, recogniser_language
from sovdeck.engine.speaking.metrics import (
    Metrics,
    Recogniser,
    SpeakerEmbedder,
    character_error_rate,
    measure_speech,
)
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.speaking.saved_samples import SavedSample
from sovdeck.engine.speaking.takes import ChunkTokens, Take
from sovdeck.engine.text.lexicon import Lexicon, strip_readings
from sovdeck.engine.text.zh.normalize import simplify

OpenPipeline = Callable[[Path, Path], SpeechPipeline]


@dataclass(frozen=True)
class Sentence:
    """A sentence to speak; `truth` is a recording of it by the speaker, where there is one."""

    text: str
    language: str
    truth: Path | None = None


@dataclass(frozen=True)
class AuditionGrid:
    """Every GPT x SoVITS x reference x sentence, each with the same seed.

    `references` are requests whose text is replaced; `initial_pair` is the untrained pair to
    compare, `saved_samples` are what training spoke at its saves: measured, not spoken again.
    Where a recogniser misses words, they are drawn again with other seeds, `rerolls` times at
    most.
    """

    gpt: Sequence[Path]
    sovits: Sequence[Path]
    references: Sequence[SpeakRequest]
    sentences: Sequence[Sentence]
    seed: int = 1234
    initial_pair: tuple[Path, Path] | None = None
    saved_samples: Sequence[SavedSample] = ()
    rerolls: int = 0

    @property
    def cell_count(self) -> int:
        """How many cells are rendered or measured."""
        pairs = len(self.gpt) * len(self.sovits) + (self.initial_pair is not None)
        return pairs * len(self.references) * len(self.sentences) + len(self.saved_samples)

    def recordings(self) -> Iterator[tuple[str, int, Sentence, Path]]:
        """Name, sentence number, words and file of each recording to hear beside the cells.

        Without a recording of any sentence they are the clips that are imitated.
        """
        recorded = [
            (index, recorded_sentence)
            for index, recorded_sentence in enumerate(self.sentences)
            if recorded_sentence.truth is not None
        ]
        for number, sentence in recorded:
            assert sentence.truth is not None
            yield f"truth-s{number}", number, sentence, sentence.truth
        if not recorded:
            for number, reference in enumerate(self.references):
                yield (
                    f"truth-r{number}",
                    -1,
                    Sentence(reference.ref_text, reference.ref_lang),
                    reference.ref_audio,
                )

    @property
    def row_count(self) -> int:
        """Cells, and the recordings that are heard beside them."""
        return self.cell_count + len(list(self.recordings()))


class AuditionRenderer:
    """Renders a grid into a folder: one wav a cell and `table.jsonl`, both as they appear."""

    def __init__(
        self,
        folder: Path,
        open_pipeline: OpenPipeline,
        recogniser: Recogniser | None = None,
        speaker_embedder: SpeakerEmbedder | None = None,
        lexicon: Lexicon | None = None,
    ) -> None:
        self.folder = folder
        self.open_pipeline = open_pipeline
        self.recogniser = recogniser
        self.speaker_embedder = speaker_embedder
        self.lexicon = lexicon
        self._digests: dict[Path, str] = {}

    def render(self, grid: AuditionGrid) -> Generator[dict[str, Any], None, None]:
        """Yield one row a cell, after its wav is on the disk; ground truth comes first.

        Tokens depend on the GPT alone, so each GPT draws a sentence once and every SoVITS
        decodes the same tokens: what differs between two cells is then only the timbre.
        A cell that an earlier audition rendered from the same files is not rendered again.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        table = self.folder / "table.jsonl"
        table.unlink(missing_ok=True)
        for row in self._render_rows(grid):
            with table.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            yield row

    def _render_rows(self, grid: AuditionGrid) -> Iterator[dict[str, Any]]:
        for name, number, sentence, path in grid.recordings():
            yield self._measure_file(name, "truth", number, sentence, path, grid, {})
        for sample in grid.saved_samples:
            facts = {"run": sample.run, "stage": sample.stage, "epoch": sample.epoch}
            sentence = Sentence(sample.text, grid.references[0].ref_lang)
            yield self._measure_file(
                f"saved-{sample.path.stem}", "saved", -1, sentence, sample.path, grid, facts
            )
        pairs = [(g, grid.sovits, "cell") for g in grid.gpt]
        if grid.initial_pair is not None:
            pairs.append((grid.initial_pair[0], [grid.initial_pair[1]], "base"))
        for gpt, sovits_files, kind in pairs:
            drawn_tokens: dict[tuple[int, int], tuple[ChunkTokens, int | None]] = {}
            for sovits in sovits_files:
                pipeline: SpeechPipeline | None = None
                for r, reference in enumerate(grid.references):
                    for s, sentence in enumerate(grid.sentences):
                        name = f"{kind}-{_stem(gpt)}-{_stem(sovits)}-r{r}-s{s}"
                        key = self._cell_key(gpt, sovits, reference, sentence, grid)
                        row = self._load_row(name, key)
                        if row is not None:
                            # Its tokens serve the SoVITS weights that are not rendered yet.
                            tokens = {k: tuple(t) for k, t in row.pop("delivery").items()}
                            drawn_tokens[r, s] = tokens, row["attempts"]
                        else:
                            pipeline = pipeline or self.open_pipeline(gpt, sovits)
                            tokens, attempts = drawn_tokens.get((r, s), (None, None))
                            take = self._speak(pipeline, reference, sentence, grid, tokens)
                            if tokens is None and grid.rerolls:
                                attempts = max(chunk.attempts for chunk in take.chunks)
                            drawn_tokens[r, s] = take.chunk_tokens, attempts
                            metrics = replace(
                                self._measure_take(take, sentence, reference), attempts=attempts
                            )
                            facts = {
                                "gpt": weight_name(gpt),
                                "sovits": weight_name(sovits),
                                "key": key,
                            }
                            row = self._write_row(
                                name,
                                kind,
                                s,
                                sentence,
                                take.samples,
                                metrics,
                                facts,
                                take.chunk_tokens,
                            )
                        weight_stamps = [self._weight_stamp(gpt), self._weight_stamp(sovits)]
                        yield {**row, "sentence": s, "reference": r, "weights": weight_stamps}

    def _speak(
        self,
        pipeline: SpeechPipeline,
        reference: SpeakRequest,
        sentence: Sentence,
        grid: AuditionGrid,
        kept_tokens: ChunkTokens | None,
    ) -> Take:
        pipeline.last_tokens = kept_tokens or {}
        pipeline.recogniser = self.recogniser if grid.rerolls else None
        return pipeline.speak(
            replace(
                reference,
                text=sentence.text,
                text_lang=sentence.language,
                seed=grid.seed,
                rerender_last=True,
                max_rerolls=grid.rerolls,
            )
        )

    def _cell_key(
        self,
        gpt: Path,
        sovits: Path,
        reference: SpeakRequest,
        sentence: Sentence,
        grid: AuditionGrid,
    ) -> str:
        """Digest of all that decides a cell's sound and metrics."""
        files = [gpt, sovits, reference.ref_audio, *reference.aux_refs]
        contents = [self._digest(file) for file in files]
        models = [self.recogniser is not None, self.speaker_embedder is not None]
        lexicon_digest = "" if self.lexicon is None else self.lexicon.digest
        facts = [
            contents,
            str(reference),
            str(sentence),
            grid.seed,
            grid.rerolls,
            models,
            lexicon_digest,
        ]
        return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()[:32]

    def _weight_stamp(self, weight: Path) -> list[Any]:
        """Path, size, time and digest of a weight, to find out later whether it has changed."""
        facts = weight.stat()
        return [str(weight), facts.st_size, facts.st_mtime_ns, self._digest(weight)]

    def _digest(self, file: Path) -> str:
        if file not in self._digests:
            self._digests[file] = file_sha256(file)
        return self._digests[file]

    def _load_row(self, name: str, key: str) -> dict[str, Any] | None:
        """The row of a cell that was rendered before, with the same key and an intact wav."""
        note, wav = self.folder / f"{name}.json", self.folder / f"{name}.wav"
        if not wav.is_file():
            return None
        row = read_optional_facts(note)
        whole = row.get("key") == key and row.get("sha256") == file_sha256(wav)
        return row if whole else None

    def _measure_file(
        self,
        name: str,
        kind: str,
        number: int,
        sentence: Sentence,
        path: Path,
        grid: AuditionGrid,
        facts: dict[str, Any],
    ) -> dict[str, Any]:
        """Measure a recording and write its row."""
        samples = _load_audio(path)
        metrics = measure_speech(
            samples, ended=True, **self._run_models(samples, sentence, grid.references[0])
        )
        return self._write_row(name, kind, number, sentence, samples, metrics, facts)

    def _measure_take(self, take: Take, sentence: Sentence, reference: SpeakRequest) -> Metrics:
        expected = None
        if sentence.truth is not None:
            expected = measure_speech(_load_audio(sentence.truth), ended=True).seconds
        elif reference.ref_text.strip():
            # The speaker's own pace: the reference's seconds a character.
            pace = measure_speech(_load_audio(reference.ref_audio), ended=True).seconds
            expected = (
                pace
                / max(1, _count_characters(reference.ref_text))
                * _count_characters(sentence.text)
            )
        samples = take.samples
        return measure_speech(
            samples,
            ended=all(chunk.ended for chunk in take.chunks),
            expected_s=expected,
            **self._run_models(samples, sentence, reference),
        )

    def _run_models(
        self, samples: np.ndarray, sentence: Sentence, reference: SpeakRequest
    ) -> dict[str, Any]:
        """Metrics by the optional models: recognition errors, speaker similarity."""
        results: dict[str, Any] = {}
        if self.recogniser is not None and sentence.text.strip():
            language = recogniser_language(sentence.language)
            transcript = self.recogniser.transcribe(samples, language)
            # Recognition writes simplified characters, whatever the text is written in.
            text = strip_readings(sentence.text)
            results["cer"] = character_error_rate(
                simplify(text) if language == "zh" else text, transcript
            )
            results["phone_error"] = phone_error(
                sentence.text, transcript, sentence.language, self.lexicon
            )
        if self.speaker_embedder is not None:
            reference_embedding = self.speaker_embedder.embed(_load_audio(reference.ref_audio))
            results["similarity"] = float(
                reference_embedding @ self.speaker_embedder.embed(samples)
            )
        return results

    def _write_row(
        self,
        name: str,
        kind: str,
        number: int,
        sentence: Sentence,
        samples: np.ndarray,
        metrics: Metrics,
        facts: dict[str, Any],
        chunk_tokens: ChunkTokens | None = None,
    ) -> dict[str, Any]:
        wav = encode_wav(samples)
        write_atomic(self.folder / f"{name}.wav", wav)
        row = {
            "cell": name,
            "kind": kind,
            "sentence": number,
            "text": sentence.text,
            "wav": f"{name}.wav",
            "bytes": len(wav),
            "sha256": hashlib.sha256(wav).hexdigest(),
            **facts,
            **metrics.as_json(),
            "penalty": round(metrics.penalty, 4),
        }
        note = json.dumps({**row, "delivery": chunk_tokens}, ensure_ascii=False)
        write_atomic(self.folder / f"{name}.json", note.encode())
        return row


def _stem(weight: Path) -> str:
    """The listed name of a weight as part of a file's name: v2Pro-Mei_e8_s64."""
    return weight_name(weight.with_suffix("")).replace("/", "-")


def _load_audio(path: Path) -> np.ndarray:
    samples, rate = load_mono(path)
    return resample(samples, rate, SPEECH_SAMPLE_RATE)


def _count_characters(text: str) -> int:
    return sum(char.isalnum() for char in strip_readings(text))
