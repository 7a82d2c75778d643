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

from engine.contract.dataset.clip import ClipFacts
from engine.contract.dataset.items import Item
from engine.contract.layout import Layout
from engine.contract.problem import ExitCode, Problem
from engine.contract.spec import RunSpec
from engine.prepare import codebook, steps
from engine.prepare.folder import DatasetFolder, load_tensor, replace_lines
from engine.prepare.index import Entry, Index
from engine.prepare.manifest import check_list
from engine.prepare.progress import Emit, Progress, warning
from engine.prepare.sources import find_list, wav_folder
from engine.text.aids import open_lexicon, open_polyphones
from engine.text.lexicon import Lexicon


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
    """What stands in the folder. `digest` changes when any item's data changes."""

    folder: Path
    items: tuple[PreparedItem, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    digest: str
    redone: int
    codebook_use: float | None = None

    @property
    def seconds(self) -> float:
        return sum(item.seconds for item in self.items)


def prepare(
    spec: RunSpec,
    layout: Layout,
    *,
    content: Any,
    base_sovits: Any,
    emit: Emit,
    text_encoder: Any = None,
    fit_seed: int | None = None,
    strict: bool = False,
) -> PreparedDataset:
    """Fill `layout.features(spec.voice)` for the spec's list and return what stands there.

    `content` is a ContentEncoder, `base_sovits` the Synthesizer whose quantiser makes the
    tokens, `text_encoder` a TextEncoder for Chinese (None: Chinese goes without BERT features
    and a warning says so). `fit_seed` fits the base's codebook, in place, to this dataset
    before the tokens are made: for a run without a pretrained base.
    Problem when the list cannot be read, nothing usable is left, or `strict` and any fault.
    """
    source = find_list(spec, layout, lambda problem: warning(emit, problem))
    checked = check_list(source, wav_folder(spec, layout), strict)
    folder = DatasetFolder(Path(layout.features(spec.voice)))
    folder.create()
    polyphones, notice = open_polyphones(layout)
    if notice is not None:
        warning(emit, notice)
    work = _Work(
        folder=folder,
        index=Index(folder.index),
        lexicon=open_lexicon(layout, spec.voice, polyphones),
        content=content,
        content_id=model_digest(content.model),
        text_encoder=text_encoder,
        text_encoder_id=model_digest(text_encoder.model) if text_encoder is not None else "",
        progress=Progress(emit, len(checked.manifest.items)),
        facts=checked.facts,
    )
    problems, notes = list(checked.manifest.problems), list(checked.manifest.notes)
    for problem in (*problems, *notes):
        work.progress.warn(problem)
    items: list[Item] = []
    for item in checked.manifest.items:
        try:
            work.item(item)
        except Problem as problem:
            problems.append(problem)
            work.progress.warn(problem)
        else:
            items.append(item)
    if not items:
        raise Problem("engine.data.nothing_left", ExitCode.DATA, file=str(source))
    if text_encoder is None and any(item.language == "zh" for item in items):
        notes.append(Problem("engine.data.no_bert", ExitCode.DATA))
        work.progress.warn(notes[-1])
    use = None
    if fit_seed is not None:
        use = codebook.fit(base_sovits, _features(folder, items), fit_seed)
    base_id = model_digest(base_sovits, ("ssl_proj.", "quantizer."))
    for item in items:
        work.tokens(item, base_sovits, base_id)
    entries = [work.index.get(item.name) for item in items]
    _write_tables(folder, entries)
    return PreparedDataset(
        folder=folder.path,
        items=tuple(map(_prepared, items, entries)),
        problems=tuple(problems),
        notes=tuple(notes),
        digest=_dataset_digest(entries),
        redone=work.progress.worked,
        codebook_use=use,
    )


@dataclass(frozen=True)
class _Work:
    """What every item needs, and the two passes over the items."""

    folder: DatasetFolder
    index: Index
    lexicon: Lexicon
    content: Any
    content_id: str
    text_encoder: Any
    text_encoder_id: str
    progress: Progress
    facts: dict[str, ClipFacts]

    def item(self, item: Item) -> None:
        """Phones and features; Problem when the item turns out unusable."""
        text_key = steps.text_key(item, self.lexicon, self.text_encoder_id)
        audio_key = steps.audio_key(item, self.content_id)
        entry = self.index.get(item.name)
        text_stands = entry.text_key == text_key and self._bert_stands(item)
        audio_stands = entry.audio_key == audio_key and self._audio_stands(item)
        if not text_stands:
            made = steps.make_text(item, self.lexicon, self.text_encoder, self.folder)
            self.index.update(item.name, text_key=text_key, **made)
        if not audio_stands:
            seconds = steps.make_audio(item, self.content, self.folder)
            self.index.update(item.name, audio_key=audio_key, seconds=seconds)
        self.progress.item(worked=not (text_stands and audio_stands))

    def tokens(self, item: Item, base_sovits: Any, base_id: str) -> None:
        entry = self.index.get(item.name)
        key = steps.token_key(entry.audio_key, base_id)
        if entry.token_key != key:
            tokens = steps.make_tokens(item, base_sovits, self.folder)
            self.index.update(item.name, token_key=key, tokens=tokens)

    def _bert_stands(self, item: Item) -> bool:
        wanted = item.language == "zh" and self.text_encoder is not None
        return not wanted or self.folder.bert(item.name).exists()

    def _audio_stands(self, item: Item) -> bool:
        return self.folder.wav(item.name).exists() and self.folder.features(item.name).exists()


def _features(folder: DatasetFolder, items: list[Item]) -> Iterator[torch.Tensor]:
    return (load_tensor(folder.features(item.name)) for item in items)


def _write_tables(folder: DatasetFolder, entries: list[Entry]) -> None:
    replace_lines(
        folder.text_table,
        (
            "\t".join((e.name, e.phones, str(list(e.word2ph) if e.word2ph else None), e.normalized))
            for e in entries
        ),
    )
    rows = (f"{entry.name}\t{entry.tokens}" for entry in entries)
    replace_lines(folder.semantic_table, ("item_name\tsemantic_audio", *rows))


def _prepared(item: Item, entry: Entry) -> PreparedItem:
    return PreparedItem(
        item.name, item.wav, item.speaker, item.language, item.text, entry.seconds,
        entry.phones.count(" ") + 1, entry.tokens.count(" ") + 1,
    )  # fmt: skip


def _dataset_digest(entries: list[Entry]) -> str:
    state = hashlib.sha256()
    for entry in sorted(entries, key=lambda entry: entry.name):
        state.update("\0".join((entry.name, entry.text_key, entry.token_key)).encode())
    return state.hexdigest()


def model_digest(model: torch.nn.Module, parts: tuple[str, ...] = ("",)) -> str:
    """A digest of a model's tensors below `parts`: what another model made is not reused."""
    state = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        if not name.startswith(parts):
            continue
        state.update(name.encode())
        state.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return state.hexdigest()[:32]
