"""Chinese text to one feature vector a phone: chinese-roberta-wwm-ext-large."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoTokenizer, BertModel

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.models.frozen.local_model import load_local_model

ROBERTA_NAME = "chinese-roberta-wwm-ext-large"
SKIPPED_LAYERS = 2  # features are hidden_states[-3]: the last two layers are never needed


class TextEncoder:
    """A frozen BERT whose third-last hidden state is repeated over the phones of a character."""

    def __init__(self, model: BertModel, vocabulary: dict[str, int], name: str) -> None:
        model.encoder.layer = model.encoder.layer[: len(model.encoder.layer) - SKIPPED_LAYERS]
        self.model = model.eval().requires_grad_(False)
        self.vocabulary = vocabulary
        self.name = name
        self.hidden: int = model.config.hidden_size
        # Two positions are taken by [CLS] and [SEP].
        self.max_characters: int = model.config.max_position_embeddings - 2

    @classmethod
    def load(cls, folder: str | Path, *, device: str | torch.device = "cpu") -> TextEncoder:
        """From a local folder; Problem when model or vocabulary is missing or damaged."""
        model = load_local_model(BertModel, folder, ROBERTA_NAME, device, add_pooling_layer=False)
        try:
            tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
            vocabulary = dict(tokenizer.get_vocab())
            for token in ("[CLS]", "[SEP]", "[UNK]"):
                vocabulary[token]
        except Exception as error:  # noqa: BLE001  tokenizers raises a dozen types for bad files
            why = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            raise Problem(
                "engine.pretrained.damaged",
                ExitCode.CONFIG,
                name=ROBERTA_NAME,
                folder=str(folder),
                why=why,
            ) from error
        return cls(model, vocabulary, Path(folder).name)

    def features(self, text: str, word2ph: Sequence[int]) -> Tensor:
        """Normalised text of n characters, phones a character (n,) -> (H, sum(word2ph)).

        Long text is encoded in windows of `max_characters`. ValueError when the counts differ.
        """
        if len(text) != len(word2ph) or not text:
            raise ValueError(f"{len(text)} characters but {len(word2ph)} phone counts")
        windows = range(0, len(text), self.max_characters)
        rows = torch.cat([self._encode_window(text[i : i + self.max_characters]) for i in windows])
        repeats = torch.tensor(list(word2ph), device=rows.device)
        return rows.repeat_interleave(repeats, dim=0).T.contiguous()

    def _encode_window(self, text: str) -> Tensor:
        """One row a character (n, H), those of [CLS] and [SEP] dropped.

        Characters are looked up one by one: the model's own tokenizer splits Chinese the same
        way, and a row can then never go missing.
        """
        ids = [self.vocabulary[token] for token in ("[CLS]", "[SEP]")]
        unknown = self.vocabulary["[UNK]"]
        middle = [self.vocabulary.get(char.lower(), unknown) for char in text]
        tokens = torch.tensor([[ids[0], *middle, ids[1]]], device=self.model.device)
        with torch.inference_mode():
            hidden = self.model(tokens).last_hidden_state
        return hidden[0, 1:-1].clone()
