"""One step of decoding: from the token drawn last to the next one, by operations on tensors alone.

Nothing here reads a number back from the device or hands one to it, and every tensor that
changes from token to token is changed in place: so a GPU may capture the step once and replay
it. A number that must change (position, step, temperature) is therefore a tensor.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from sovdeck.engine.models.gpt.cache import Cache
from sovdeck.engine.models.gpt.sampling import (
    Sampling,
    apply_repetition_penalty,
    draw_token,
    filter_logits,
    seen_tokens,
)
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic

# EOS is forbidden for this many first tokens (compat SPEC 5.7, step 1).
MIN_TOKENS = 11

_PER_ROW = ("token", "seen", "history", "ended", "length")


@dataclass
class DecodeState:
    """What one token changes, of B texts; S is the most tokens that a text may get.

    `noise` holds the draws of the next few steps, `noise_row` says which of them is next.
    `length` counts the tokens before a row's end, `ended` tells that it has come; a row that has
    ended goes on drawing tokens that nobody reads. The vectors of one number belong to all rows.
    """

    token: Tensor  # (B, 1), drawn last
    seen: Tensor  # (B, V), True for every token of the prompt and of the history
    history: Tensor  # (B, S)
    ended: Tensor  # (B,)
    length: Tensor  # (B,)
    noise: Tensor  # (block, B, V), Exp(1)
    noise_row: Tensor  # (1,)
    step: Tensor  # (1,), of the token that is drawn next
    position: Tensor  # (1,), of `token` in the audio, prompt included
    penalty: Tensor  # ()
    divisor: Tensor  # ()

    @classmethod
    def allocate(
        cls, batch: int, vocab_size: int, max_tokens: int, block: int, device: torch.device
    ) -> DecodeState:
        """Tensors for so many rows and tokens; `block` is how many steps' noise is kept."""

        def zeros(*shape: int, dtype: torch.dtype = torch.long) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        return cls(
            token=zeros(batch, 1),
            seen=zeros(batch, vocab_size, dtype=torch.bool),
            history=zeros(batch, max_tokens),
            ended=zeros(batch, dtype=torch.bool),
            length=zeros(batch),
            noise=torch.ones(block, batch, vocab_size, device=device),
            noise_row=zeros(1),
            step=zeros(1),
            position=zeros(1),
            penalty=torch.ones((), device=device),
            divisor=torch.ones((), device=device),
        )

    def start(self, prompt: Tensor, sampling: Sampling) -> None:
        """Set everything in place to the point behind the prompt (B, P)."""
        for name in ("token", "history", "ended", "length", "noise_row", "step"):
            getattr(self, name).zero_()
        self.noise.fill_(1.0)
        self.seen.copy_(seen_tokens(prompt, self.seen.shape[1]))
        self.position.fill_(prompt.shape[1] - 1)
        self.penalty.fill_(sampling.repetition_penalty)
        self.divisor.fill_(sampling.divisor)

    def first_rows(self, count: int) -> DecodeState:
        """The first rows of everything that has rows, as views."""
        rows = {name: getattr(self, name)[:count] for name in _PER_ROW}
        return replace(self, **rows, noise=self.noise[:, :count])

    def move_rows(self, rows: Tensor) -> None:
        """Copy these rows, an index (B',), to the front; what was there is lost.

        Not the noise: it is drawn anew before it is read.
        """
        for name in _PER_ROW:
            tensor = getattr(self, name)
            tensor[: len(rows)] = tensor[rows]

    @property
    def tensors(self) -> list[Tensor]:
        """All of them, for whoever keeps a copy."""
        return [getattr(self, field.name) for field in fields(self)]


class DecodeStep:
    """Decodes with one model, state and cache; `top_k` and `top_p` are the same in every step."""

    def __init__(
        self, model: Text2Semantic, state: DecodeState, cache: Cache, sampling: Sampling
    ) -> None:
        self.model = model
        self.state = state
        self.cache = cache
        self._top_k, self._top_p = sampling.top_k, sampling.top_p
        self._eos = model.config.eos

    def run(self) -> None:
        """Decode the token drawn last, and draw the next one."""
        self.draw(decode_token(self.model, self.state.token, self.state.position, self.cache))

    def draw(self, logits: Tensor) -> None:
        """Draw a token a row from fresh logits (B, V), note it and whether its row ends here."""
        state = self.state
        # EOS is the last token; see GptConfig.
        logits[:, self._eos :].masked_fill_(state.step < MIN_TOKENS, -torch.inf)
        logits = apply_repetition_penalty(logits, state.seen, state.penalty)
        filtered = filter_logits(logits, self._top_k, self._top_p, state.divisor)
        noise = state.noise.index_select(0, state.noise_row)[0]  # (B, V)
        state.token.copy_(draw_token(filtered, noise))
        state.history.index_copy_(1, state.step, state.token)
        state.seen.scatter_(1, state.token, True)
        state.ended.logical_or_(is_end_of_sequence(state.token, logits, self._eos))
        state.length.add_(~state.ended)
        for counter in (state.noise_row, state.step, state.position):
            counter.add_(1)


def decode_token(model: Text2Semantic, token: Tensor, position: Tensor, cache: Cache) -> Tensor:
    """Token (B, 1) at this audio position (1,) -> fresh logits (B, V) of the next one."""
    x = model.embed_audio(token, position)  # (B, 1, C)
    cache.reserve(1)
    x = model.h(x, cache.mask, cache)
    logits: Tensor = model.ar_predict_layer(x[:, -1]).float()
    return logits


def is_end_of_sequence(token: Tensor, penalised: Tensor, eos: int) -> Tensor:
    """(B,): the drawn token is EOS, or EOS is the likeliest though another one was drawn."""
    return (token[:, 0] == eos) | (penalised.argmax(dim=-1) == eos)
