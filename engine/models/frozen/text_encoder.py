"""Chinese text to one row of features a phone: chinese-roberta-wwm-ext-large."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoTokenizer, BertModel

from engine.contract.problem import ExitCode, Problem
from engine.models.frozen.folder import load_model

BASE = "chinese-roberta-wwm-ext-large"
SKIPPED = 2  # features are hidden_states[-3]: the last two layers are never needed


class TextEncoder:
    """A frozen BERT whose third-last hidden state is repeated over the phones of a character."""

    def __init__(self, model: BertModel, vocabulary: dict[str, int], name: str) -> None:
        model.encoder.layer = model.encoder.layer[: len(model.encoder.layer) - SKIPPED]
        self.model = model.eval().requires_grad_(False)
        self.vocabulary = vocabulary
        self.name = name
        self.hidden: int = model.config.hidden_size
        # Two places are taken by the marks of start and end.
        self.longest: int = model.config.max_position_embeddings - 2

    @classmethod
    def load(cls, folder: str | Path, *, device: str | torch.device = "cpu") -> TextEncoder:
        """From a local folder; Problem when model or vocabulary is missing or damaged."""
        model = load_model(BertModel, folder, BASE, add_pooling_layer=False)
        try:
            tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
            vocabulary = dict(tokenizer.get_vocab())
            for mark in ("[CLS]", "[SEP]", "[UNK]"):
                vocabulary[mark]
        except Exception as error:  # noqa: BLE001  tokenizers raises a dozen types for bad files
            why = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            raise Problem(
                "engine.pretrained.damaged", ExitCode.CONFIG,
                name=BASE, folder=str(folder), why=why,
            ) from error  # fmt: skip
        return cls(model.to(device), vocabulary, Path(folder).name)

    def features(self, text: str, word2ph: Sequence[int]) -> Tensor:
        """Normalised text of n characters, phones a character (n,) -> (H, sum(word2ph)).

        Long text is read in windows of `longest` characters. ValueError when the counts differ.
        """
        if len(text) != len(word2ph) or not text:
            raise ValueError(f"{len(text)} characters but {len(word2ph)} phone counts")
        windows = range(0, len(text), self.longest)
        rows = torch.cat([self._rows(text[i : i + self.longest]) for i in windows])
        repeats = torch.tensor(list(word2ph), device=rows.device)
        return rows.repeat_interleave(repeats, dim=0).T.contiguous()

    def _rows(self, text: str) -> Tensor:
        """One row a character (n, H), the marks of start and end dropped.

        Characters are looked up one by one: the model's own tokenizer splits Chinese the same
        way, and a row can then never go missing.
        """
        ids = [self.vocabulary[mark] for mark in ("[CLS]", "[SEP]")]
        unknown = self.vocabulary["[UNK]"]
        middle = [self.vocabulary.get(char.lower(), unknown) for char in text]
        tokens = torch.tensor([[ids[0], *middle, ids[1]]], device=self.model.device)
        with torch.inference_mode():
            hidden = self.model(tokens).last_hidden_state
        return hidden[0, 1:-1].clone()
