"""From text and a reference clip to speech: cut, read, draw tokens, decode, join."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from engine.contract.problem import ExitCode, Problem
from engine.models.gpt.generate import generate
from engine.models.gpt.text2semantic import Text2Semantic
from engine.models.sovits.synthesizer import Synthesizer
from engine.speaking.marks import Recogniser
from engine.speaking.phrases import BertFeatures, Phrase, read
from engine.speaking.reference import Reference, read_reference
from engine.speaking.request import SpeakRequest
from engine.speaking.slicing import SENTENCE_ENDS, pieces
from engine.speaking.sound import peak_safe, silence
from engine.speaking.takes import Delivery, SpokenPiece, Take, piece_key
from engine.speaking.verify import LARGEST_ERROR, spoken_error
from engine.text.lexicon import Lexicon

# Spread of the decoder's draw around the mean (compat SPEC 3.12).
_NOISE_SCALE = 0.5
_TOKENS_A_SECOND = 25
_MOST_TOKENS = 1500
_NO_WORDS = Lexicon()


class ContentFeatures(Protocol):
    """What the speech encoder gives: (B, N) at 16 kHz -> (B, H, T) at 50 Hz."""

    def features(self, wav: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class _Lead:
    """What the reference lends: timbre always, words and their tokens where it has a text."""

    digest: str
    spectrograms: list[Tensor]  # each (1, 1025, T)
    phrase: Phrase | None = None
    prompt: Tensor | None = None  # (P,)


class Speaker:
    """One pair of weights, ready to speak; keeps the last take's delivery for re-rendering.

    The models stay on their devices. Chinese without a `text_encoder` is read with zero
    features, as a voice trained from nothing was. `low_precision` decodes in bfloat16.
    """

    def __init__(
        self,
        gpt: Text2Semantic,
        sovits: Synthesizer,
        content_encoder: ContentFeatures,
        text_encoder: BertFeatures | None = None,
        recogniser: Recogniser | None = None,
        *,
        lexicon: Lexicon = _NO_WORDS,
        low_precision: bool = False,
    ) -> None:
        self.gpt = gpt.eval()
        self.sovits = sovits.eval()
        self.content_encoder = content_encoder
        self.text_encoder = text_encoder
        self.recogniser = recogniser
        self.lexicon = lexicon
        self.low_precision = low_precision
        self.last: Delivery = {}
        self._weights = _digest(gpt)
        self._prompt: tuple[str, Tensor] | None = None  # of the reference last spoken with

    def speak(
        self, request: SpeakRequest, on_piece: Callable[[SpokenPiece], None] | None = None
    ) -> Take:
        """Speak everything; `on_piece` gets each piece as soon as it is there.

        Problem before any sound when the text, a language or the reference cannot be used.
        """
        seed = request.seed if request.seed >= 0 else secrets.randbelow(2**31)
        spoken = []
        for piece in self.stream(request, seed):
            spoken.append(piece)
            if on_piece is not None:
                on_piece(piece)
        take = Take(request, seed, tuple(spoken))
        self.last = take.delivery
        return take

    def stream(self, request: SpeakRequest, seed: int) -> Iterator[SpokenPiece]:
        """Speak piece by piece: the first is heard while the rest is still text."""
        texts = pieces(request.text, request.slice, request.text_lang)
        if not texts:
            raise Problem("engine.speaking.no_words", ExitCode.DATA, text=request.text[:40])
        lead = self._lead(request)
        said: Counter[str] = Counter()
        decided = f"{self._weights} {self.lexicon.digest}"  # by other readings: other tokens
        for index, text in enumerate(texts):
            key = piece_key(text, said[text], request, lead.digest, decided)
            said[text] += 1
            kept = self.last.get(key) if request.rerender_last else None
            if kept is not None:
                yield self._piece(request, text, key, piece_seed(seed, index), lead, kept)
            else:
                yield self._best_piece(request, text, key, seed, index, lead)

    def _best_piece(
        self, request: SpeakRequest, text: str, key: str, seed: int, index: int, lead: _Lead
    ) -> SpokenPiece:
        """Speak; while recognition misses words, speak again with other seeds; keep the best."""
        best = self._piece(request, text, key, piece_seed(seed, index), lead, None)
        if self.recogniser is None or not request.verify:
            return best
        best = self._verified(best, request)
        attempt = 0
        while best.error > LARGEST_ERROR and attempt < request.max_rerolls:
            attempt += 1
            other = self._piece(request, text, key, piece_seed(seed, index, attempt), lead, None)
            other = self._verified(other, request)
            best = min(best, other, key=lambda piece: piece.error)
        return replace(best, attempts=attempt + 1)

    def _verified(self, piece: SpokenPiece, request: SpeakRequest) -> SpokenPiece:
        assert self.recogniser is not None
        error = spoken_error(
            self.recogniser, piece.samples, piece.text, request.text_lang, self.lexicon
        )
        return replace(piece, error=error)

    def _lead(self, request: SpeakRequest) -> _Lead:
        reference = read_reference(request.ref_audio, check_length=not request.any_length)
        extra = [read_reference(path, check_length=False) for path in request.aux_refs]
        device = self.sovits.ssl_proj.weight.device
        spectrograms = [clip.spectrogram().to(device) for clip in (reference, *extra)]
        if not request.prompted:
            return _Lead(reference.digest, spectrograms)
        text = closed(request.ref_text.replace("\n", ""), request.ref_lang)
        phrase = read(text, request.ref_lang, self.text_encoder, self.lexicon)
        return _Lead(reference.digest, spectrograms, phrase, self._prompt_tokens(reference))

    @torch.inference_mode()
    def _prompt_tokens(self, reference: Reference) -> Tensor:
        """Semantic tokens (P,) of the clip; kept, since one clip speaks many sentences."""
        if self._prompt is None or self._prompt[0] != reference.digest:
            ssl = self.content_encoder.features(reference.prompt_wave())
            weight = self.sovits.ssl_proj.weight
            codes = self.sovits.extract_latent(ssl.to(weight.device, weight.dtype))  # (1, 1, P)
            self._prompt = (reference.digest, codes[0, 0])
        return self._prompt[1]

    def _piece(
        self,
        request: SpeakRequest,
        text: str,
        key: str,
        seed: int,
        lead: _Lead,
        kept: tuple[int, ...] | None,
    ) -> SpokenPiece:
        phrase = read(text, request.text_lang, self.text_encoder, self.lexicon)
        limit = token_limit(len(phrase.phones), request.max_tokens)
        if kept is not None:
            tokens = torch.tensor(kept)
        else:
            tokens = self._draw(phrase, lead, request, seed, limit)
        samples = self._decode(tokens, phrase, lead, request, seed)
        return SpokenPiece(
            text=text,
            key=key,
            seed=seed,
            tokens=tuple(tokens.tolist()),
            ended=len(tokens) < limit,
            reused=kept is not None,
            samples=np.concatenate((peak_safe(samples), silence(request.pause_s))),
        )

    def _draw(
        self, phrase: Phrase, lead: _Lead, request: SpeakRequest, seed: int, limit: int
    ) -> Tensor:
        """Semantic tokens (S,) of one piece, spoken after the reference's words."""
        whole = phrase if lead.phrase is None else lead.phrase + phrase
        longest = self.gpt.config.max_positions
        if len(whole.phones) > longest:
            raise Problem(
                "engine.speaking.too_long", ExitCode.DATA,
                text=phrase.normalized[:40], phones=len(whole.phones), longest=longest,
            )  # fmt: skip
        generator = torch.Generator(self.gpt.bert_proj.weight.device).manual_seed(seed)
        return generate(
            self.gpt, whole.phones, whole.bert, lead.prompt,
            sampling=request.sampling, generator=generator, max_tokens=limit,
        )  # fmt: skip

    def _decode(
        self, tokens: Tensor, phrase: Phrase, lead: _Lead, request: SpeakRequest, seed: int
    ) -> np.ndarray:
        """Tokens (S,) and the piece's own phones -> samples (N,) float32."""
        weight = self.sovits.ssl_proj.weight
        frames = 2 * len(tokens)
        if request.speed != 1.0:
            frames = int(frames / request.speed) + 1
        # Drawn on the CPU, so that one seed means the same noise on every device.
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(
            1, self.sovits.config.inter_channels, frames, generator=generator
        )  # (1, C, T)
        with torch.autocast(weight.device.type, torch.bfloat16, enabled=self.low_precision):
            wav = self.sovits.decode(
                tokens.to(weight.device)[None, None],
                phrase.phones.to(weight.device)[None],
                lead.spectrograms,
                noise_scale=_NOISE_SCALE,
                speed=request.speed,
                noise=noise.to(weight.device, weight.dtype),
            )
        return wav[0, 0].float().cpu().numpy()


def piece_seed(seed: int, index: int, attempt: int = 0) -> int:
    """A seed for one piece and attempt: speaking one again leaves the others as they were."""
    digest = hashlib.sha256(f"{seed}/{index}/{attempt}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def token_limit(phones: int, asked: int | None) -> int:
    """How many tokens a piece of so many phones may take; `asked` wins where given.

    Training leaves out recordings of less than 3 phones a second (compat SPEC 5.6), so a piece
    that grows longer is rambling. Never more than upstream's 1500, which is a minute.
    """
    slowest = phones * _TOKENS_A_SECOND // 3 + _TOKENS_A_SECOND
    return asked if asked is not None else min(_MOST_TOKENS, slowest)


def closed(text: str, language: str) -> str:
    """`text` with the full stop that both reference and target must end in."""
    text = text.strip()
    return text if text[-1] in SENTENCE_ENDS else text + ("." if language == "en" else "。")


def _digest(gpt: Text2Semantic) -> str:
    """Names the GPT weight by content: every update changes the output layer."""
    weight = gpt.ar_predict_layer.weight.detach().float().cpu()
    return hashlib.sha256(weight.numpy().tobytes()).hexdigest()[:32]
