"""The text-to-semantic GPT: its parameters and the teacher-forced training pass."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sovdeck.engine.models.gpt import masks
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.embedding import SinePosition, TokenEmbedding
from sovdeck.engine.models.gpt.transformer import Transformer


@dataclass(frozen=True)
class GptOutput:
    """One training pass over a batch of B rows whose longest has S tokens.

    `logits` (B, S + 1, V); `targets` (B, S + 1), EOS from each row's end on; `loss` is the
    summed cross-entropy over all B * (S + 1) targets; `accuracy` is top-3, EOS left out.
    """

    logits: Tensor
    targets: Tensor
    loss: Tensor
    accuracy: Tensor


class Text2Semantic(nn.Module):
    """Phones and BERT to semantic tokens; state-dict keys are upstream's after `model.`.

    `cache_dtype` is that of the key-value cache in generation; None: that of the weights.
    """

    cache_dtype: torch.dtype | None = None

    def __init__(self, config: GptConfig) -> None:
        super().__init__()
        width = config.hidden_dim
        self.config = config
        self.bert_proj = nn.Linear(config.bert_dim, width)
        self.ar_text_embedding = TokenEmbedding(config.phoneme_vocab_size, width)
        self.ar_text_position = SinePosition(width, config.max_positions, config.dropout)
        self.ar_audio_embedding = TokenEmbedding(config.vocab_size, width)
        self.ar_audio_position = SinePosition(width, config.max_positions, config.dropout)
        self.h = Transformer(config)
        self.ar_predict_layer = nn.Linear(width, config.vocab_size, bias=False)

    def embed_text(self, phones: Tensor, bert: Tensor) -> Tensor:
        """Phones (B, L) and bert (B, 1024, L) -> (B, L, C), positions from 0."""
        x = self.ar_text_embedding(phones) + self.bert_proj(bert.transpose(1, 2))
        embedded: Tensor = self.ar_text_position(x)
        return embedded

    def embed_audio(self, tokens: Tensor, at: Tensor | None = None) -> Tensor:
        """Tokens (B, S) -> (B, S, C) at positions `at` (S,), or from 0: behind the text too."""
        embedded: Tensor = self.ar_audio_position(self.ar_audio_embedding(tokens), at)
        return embedded

    def forward(
        self,
        phones: Tensor,
        phone_lengths: Tensor,
        tokens: Tensor,
        token_lengths: Tensor,
        bert: Tensor,
        *,
        upstream_mask: bool = False,
    ) -> GptOutput:
        """Predict every token from all phones and the tokens before it (compat SPEC 5.2, 5.3).

        phones (B, L) right-padded with any id, bert (B, 1024, L), tokens (B, S) right-padded
        with any token; lengths (B,).

        By default padded phones are hidden and the first token is predicted from the row's own
        last phone, so a row means the same in any batch. `upstream_mask=True` repeats upstream's
        training instead: the first `L - length` *real* phones are hidden, the padded ones stay
        visible, and the first token is predicted from the last position of the padded block.
        """
        B, L = phones.shape
        S = tokens.shape[1]
        real = masks.right_padded_mask(token_lengths, S)  # (B, S)
        eos = self.config.eos
        targets = F.pad(tokens.masked_fill(~real, eos), (0, 1), value=eos)  # (B, S + 1)

        audio = self.embed_audio(targets[:, :-1])
        x = torch.cat((self.embed_text(phones, bert), audio), dim=1)  # (B, L + S, C)
        keys = masks.left_padded_mask if upstream_mask else masks.right_padded_mask
        keys_seen = torch.cat((keys(phone_lengths, L), real), dim=1)  # (B, L + S)
        mask = masks.with_padding(masks.prefix_mask(L, S, x.device), keys_seen)
        x = self.h(x, masks.to_added(mask, _score_dtype(x)))

        if upstream_mask:
            x = x[:, L - 1 :]
        else:
            first = x[torch.arange(B, device=x.device), phone_lengths - 1]  # (B, C)
            x = torch.cat((first.unsqueeze(1), x[:, L:]), dim=1)
        logits = self.ar_predict_layer(x).float()  # (B, S + 1, V)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
        return GptOutput(logits, targets, loss, _top3_accuracy(logits.detach(), targets, eos))


def _score_dtype(x: Tensor) -> torch.dtype:
    """The format in which the scores of attention over `x` are computed."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


def _top3_accuracy(logits: Tensor, targets: Tensor, eos: int) -> Tensor:
    """Share of the targets other than EOS that are among the three likeliest; a scalar."""
    counted = targets != eos
    hit = (logits.topk(3, dim=-1).indices == targets.unsqueeze(-1)).any(-1)
    return (hit & counted).sum() / counted.sum().clamp(min=1)
