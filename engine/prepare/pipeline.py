"""From a list of clips to upstream's dataset folder: phones, features, waves, tokens.

Each item goes through three steps. A step is done again only when what it was made from has
changed, so a killed run goes on where it was, and one changed line redoes one item.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sovdeck.engine.contract.dataset.items import DatasetItem
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.models.deferred import DeferredModel
from sovdeck.engine.prepare import codebook, steps
from sovdeck.engine.prepare.cache_index import CacheEntry, CacheIndex
from sovdeck.engine.prepare.dataset_folder import DatasetFolder, load_tensor, replace_lines
from sovdeck.engine.prepare.frozen_encoders import FrozenEncoders
from sovdeck.engine.prepare.measured_list import check_list
from sovdeck.engine.prepare.progress import Emit, PrepareProgress, emit_warning
from sovdeck.engine.prepare.sources import find_or_gather_list, wav_folder
from sovdeck.engine.prepare.speaker_vectors import make_speaker_vector, speaker_key
from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.open_lexicon import open_lexicon, open_polyphones


@dataclass(frozen=True)
class PreparedItem:
    """One item that training can use; `phones` and `tokens` are counts."""

    name: str
    wav: Path
    speaker: str
    language: str
    text: str
    seconds: float
    phones: int
    tokens: int


@dataclass(frozen=True)
class PreparedDataset:
    """The prepared folder. `digest` changes when any item's data does; `remade` counts items."""

    folder: Path
    items: tuple[PreparedItem, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    digest: str
    remade: int
    codebook_use: float | None = None

    @property
    def seconds(self) -> float:
        """Total length of all items."""
        return sum(item.seconds for item in self.items)


def prepare(
    spec: RunSpec,
    layout: Layout,
    *,
    encoders: FrozenEncoders,
    synthesizer: DeferredModel[Any],
    emit: Emit,
    fit_seed: int | None = None,
    strict: bool = False,
) -> PreparedDataset:
    """Fill `layout.features(spec.voice)` for the spec's list and return what is there.

    Without a text encoder among `encoders` Chinese goes without BERT features and a warning says
    so. `synthesizer` is the Synthesizer whose quantiser makes the tokens; `fit_seed` fits its
    codebook, in place, to this dataset before the tokens are made: for a run without a pretrained
    base. A model that nothing is made with is not loaded.
    Problem when the list cannot be read, nothing usable is left, or `strict` and any fault.
    """
    source = find_or_gather_list(spec, layout, lambda problem: emit_warning(emit, problem))
    checked = check_list(source, wav_folder(spec, layout), strict)
    folder = DatasetFolder(Path(layout.features(spec.voice)))
    folder.create()
    chinese = any(item.language == "zh" for item in checked.manifest.items)
    polyphones, notice = open_polyphones(layout) if chinese else (None, None)
    if notice is not None:
        emit_warning(emit, notice)
    preparer = _ItemPreparer(
        folder=folder,
        index=CacheIndex(folder.index),
        lexicon=open_lexicon(layout, spec.voice, polyphones),
        encoders=encoders,
        as_upstream=spec.settings.text.reading == "upstream",
        progress=PrepareProgress(emit, len(checked.manifest.items)),
    )
    problems, notes = list(checked.manifest.problems), list(checked.manifest.notes)
    for problem in (*problems, *notes):
        preparer.progress.warn(problem)
    items: list[DatasetItem] = []
    for item in checked.manifest.items:
        try:
            preparer.prepare_item(item)
        except Problem as problem:
            problems.append(problem)
            preparer.progress.warn(problem)
        else:
            items.append(item)
    if not items:
        raise Problem("engine.data.nothing_left", ExitCode.DATA, file=str(source))
    if encoders.text is None and any(item.language == "zh" for item in items):
        notes.append(Problem("engine.data.no_bert", ExitCode.DATA))
        preparer.progress.warn(notes[-1])
    codebook_use = None
    if fit_seed is not None:
        codebook_use = codebook.fit_codebook(
            synthesizer.get(), _load_features(folder, items), fit_seed
        )
    for item in items:
        preparer.make_tokens(item, synthesizer)
    entries = [preparer.index.get(item.name) for item in items]
    _write_tables(folder, entries)
    return PreparedDataset(
        folder=folder.path,
        items=tuple(map(_prepared_item, items, entries)),
        problems=tuple(problems),
        notes=tuple(notes),
        digest=_dataset_digest(entries),
        remade=preparer.progress.remade,
        codebook_use=codebook_use,
    )


@dataclass(frozen=True)
class _ItemPreparer:
    """What every item needs, and the two passes over the items."""

    folder: DatasetFolder
    index: CacheIndex
    lexicon: Lexicon
    encoders: FrozenEncoders
    as_upstream: bool
    progress: PrepareProgress

    def prepare_item(self, item: DatasetItem) -> None:
        """Make phones, features and speaker vector, unless current; Problem for a bad item."""
        text_encoder = self.encoders.text if item.language == "zh" else None
        text_key = steps.text_key(
            item,
            self.lexicon,
            "" if text_encoder is None else text_encoder.identity,
            as_upstream=self.as_upstream,
        )
        audio_key = steps.audio_key(item, self.encoders.content.identity)
        entry = self.index.get(item.name)
        text_is_current = entry.text_key == text_key and self._has_bert(item)
        audio_is_current = entry.audio_key == audio_key and self._has_audio(item)
        if not text_is_current:
            text_fields = steps.make_text(
                item,
                self.lexicon,
                None if text_encoder is None else text_encoder.get(),
                self.folder,
                as_upstream=self.as_upstream,
            )
            self.index.update(item.name, text_key=text_key, **text_fields)
        if not audio_is_current:
            seconds = steps.make_audio(item, self.encoders.content.get(), self.folder)
            self.index.update(item.name, audio_key=audio_key, seconds=seconds)
        speaker_made = self._speaker(item, audio_key)
        self.progress.count_item(remade=speaker_made or not (text_is_current and audio_is_current))

    def _speaker(self, item: DatasetItem, audio_key: str) -> bool:
        """Make the item's speaker vector where v2Pro needs one that is not there yet."""
        if self.encoders.speaker is None:
            return False
        key = speaker_key(audio_key, self.encoders.speaker.identity)
        stands = self.index.get(item.name).speaker_key == key
        if stands and self.folder.speaker(item.name).exists():
            return False
        make_speaker_vector(item, self.encoders.speaker.get(), self.folder)
        self.index.update(item.name, speaker_key=key)
        return True

    def make_tokens(self, item: DatasetItem, synthesizer: DeferredModel[Any]) -> None:
        """Make the item's tokens, unless they are current."""
        entry = self.index.get(item.name)
        key = steps.token_key(entry.audio_key, synthesizer.identity)
        if entry.token_key != key:
            tokens = steps.make_tokens(item, synthesizer.get(), self.folder)
            self.index.update(item.name, token_key=key, tokens=tokens)

    def _has_bert(self, item: DatasetItem) -> bool:
        wanted = item.language == "zh" and self.encoders.text is not None
        return not wanted or self.folder.bert(item.name).exists()

    def _has_audio(self, item: DatasetItem) -> bool:
        return self.folder.wav(item.name).exists() and self.folder.features(item.name).exists()


def _load_features(folder: DatasetFolder, items: list[DatasetItem]) -> Iterator[torch.Tensor]:
    return (load_tensor(folder.features(item.name)) for item in items)


def _write_tables(folder: DatasetFolder, entries: list[CacheEntry]) -> None:
    replace_lines(
        folder.text_table,
        (
            "\t".join((e.name, e.phones, str(list(e.word2ph) if e.word2ph else None), e.normalized))
            for e in entries
        ),
    )
    rows = (f"{entry.name}\t{entry.tokens}" for entry in entries)
    replace_lines(folder.semantic_table, ("item_name\tsemantic_audio", *rows))


def _prepared_item(item: DatasetItem, entry: CacheEntry) -> PreparedItem:
    return PreparedItem(
        item.name,
        item.wav,
        item.speaker,
        item.language,
        item.text,
        entry.seconds,
        entry.phones.count(" ") + 1,
        entry.tokens.count(" ") + 1,
    )


def _dataset_digest(entries: list[CacheEntry]) -> str:
    state = hashlib.sha256()
    for entry in sorted(entries, key=lambda entry: entry.name):
        facts = (entry.name, entry.text_key, entry.token_key, entry.speaker_key)
        state.update("\0".join(facts).encode())
    return state.hexdigest()
