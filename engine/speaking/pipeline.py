"""From text and a reference clip to speech: cut, read, draw tokens, decode, join."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE, limit_peak, make_silence
from sovdeck.engine.audio.pitch import shift_pitch
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.speak_table import LANGUAGE_MODES
from sovdeck.engine.models.gpt.generate import AfterTokens, generate
from sovdeck.engine.models.gpt.graphs import DecodeGraphs
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.models.speaker.encoder import SpeakerEncoder
from sovdeck.engine.speaking.asr_check import check_speech
from sovdeck.engine.speaking.listener import Listener
from sovdeck.engine.speaking.metrics import Recogniser
from sovdeck.engine.speaking.phrases import (
    BertFeatures,
    Phrase,
    language_problem,
    read_phrase,
)
from sovdeck.engine.speaking.reference import ReferenceAudio, read_reference
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.speaking.sentence_decoder import EarlyDecoder, SentenceDecoder
from sovdeck.engine.speaking.slicing import SENTENCE_ENDS, split_in_two, split_text
from sovdeck.engine.speaking.speaker_vectors import SpeakerVectors
from sovdeck.engine.speaking.takes import ChunkTokens, SpokenChunk, Take, chunk_key
from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.reader import (
    count_letters,
    describe_guess,
    describe_lost,
    find_lost,
    read_text,
    unreadable_problem,
)

_TOKENS_PER_SECOND = 25
_MAX_TOKENS = 1500
# A piece of so many phones is cut: at ten phones a second, slow speech, it fills a minute.
_READ_FIRST = 1000  # characters in which something readable is looked for before the first sound
_MAX_PHONES = 600
# Phones a second outside of which a text is not what its clip says; training takes 3 to 25
# (compat SPEC 5.6), and a wrong text is farther out than a hasty speaker.
_SLOWEST_PACE, _FASTEST_PACE = 2.0, 30.0
_EMPTY_LEXICON = Lexicon()
_NOBODY = Listener()


class ContentFeatures(Protocol):
    """A content encoder of speech."""

    def features(self, wav: Tensor, /) -> Tensor:
        """Encode wav (B, N) at 16 kHz -> (B, H, T) at 50 Hz."""
        ...


@dataclass(frozen=True)
class _Conditioning:
    """What the reference gives: timbre always, words and their tokens where it has a text."""

    digest: str
    spectrograms: list[Tensor]  # each (1, 1025, T)
    speakers: list[Tensor] | None = None  # v2Pro: one vector (1, S) a spectrogram
    phrase: Phrase | None = None
    prompt_tokens: Tensor | None = None  # (P,)
    notice: Problem | None = None  # what a person should know of the reference


class SpeechPipeline:
    """One pair of weights, ready to speak; keeps the last take's tokens for re-rendering.

    The models stay on their devices. Chinese without a `text_encoder` is read with zero
    features, as a voice trained from nothing was. v2Pro needs the `speaker_encoder` it was
    trained with (ValueError without). `low_precision` decodes in bfloat16.
    """

    def __init__(
        self,
        gpt: Text2Semantic,
        sovits: Synthesizer,
        content_encoder: ContentFeatures,
        text_encoder: BertFeatures | None = None,
        recogniser: Recogniser | None = None,
        *,
        lexicon: Lexicon = _EMPTY_LEXICON,
        low_precision: bool = False,
        speaker_encoder: SpeakerEncoder | None = None,
    ) -> None:
        if sovits.config.takes_speaker and speaker_encoder is None:
            raise ValueError(f"{sovits.config.version} speaks with a speaker encoder only")
        self.gpt = gpt.eval()
        self.sovits = sovits.eval()
        self.content_encoder = content_encoder
        self.text_encoder = text_encoder
        self.recogniser = recogniser
        self.lexicon = lexicon
        self.low_precision = low_precision
        takes_speaker = sovits.config.takes_speaker and speaker_encoder is not None
        self._speaker_vectors = SpeakerVectors(speaker_encoder) if takes_speaker else None
        self.last_tokens: ChunkTokens = {}
        self._gpt_id = _gpt_digest(gpt)
        on_gpu = gpt.bert_proj.weight.device.type == "cuda"
        self._graphs = DecodeGraphs(gpt) if on_gpu else None
        self._cached_prompt: tuple[str, Tensor] | None = None  # of the reference last spoken with

    def replace_gpt(self, gpt: Text2Semantic) -> None:
        """Speak with another GPT from now on; all that does not depend on it is kept."""
        self.gpt = gpt.eval()
        self._gpt_id = _gpt_digest(gpt)

    def speak(
        self,
        request: SpeakRequest,
        on_chunk: Callable[[SpokenChunk], None] | None = None,
        listener: Listener = _NOBODY,
    ) -> Take:
        """Speak everything; `on_chunk` gets each chunk as soon as it is there.

        Problem before any sound when the text, a language or the reference cannot be used;
        ListenerGone when the listener leaves.
        """
        chunks = self.speak_by_chunk(request, self.choose_seed(request), listener)
        while True:
            try:
                chunk = next(chunks)
            except StopIteration as end:
                take: Take = end.value
                return take
            if on_chunk is not None:
                on_chunk(chunk)

    def choose_seed(self, request: SpeakRequest) -> int:
        """Return the seed that a take of this request is drawn with."""
        return request.seed if request.seed >= 0 else secrets.randbelow(2**31)

    def speak_by_chunk(
        self, request: SpeakRequest, seed: int, listener: Listener = _NOBODY
    ) -> Generator[SpokenChunk, None, Take]:
        """Speak as `speak` does, a chunk each time one is asked for; returns the take.

        Other takes may be spoken between two chunks.
        """
        if request.text_lang not in LANGUAGE_MODES:
            raise language_problem(request.text_lang)
        self._refuse_unreadable(request)
        texts = self._cut(request)
        conditioning = self._condition_on(request)
        listener.on_start(seed)
        chunks = []
        for chunk in self._speak_texts(request, seed, texts, conditioning, listener):
            chunks.append(chunk)
            yield chunk
        # Only now: over a book it takes seconds, which nobody should wait for the first sound.
        lost = find_lost(request.text, request.text_lang, self.lexicon)
        notices = [
            describe_lost(lost),
            describe_guess(request.text, request.text_lang),
            conditioning.notice,
            _capture_notice(self._graphs),
            *map(_limit_notice, chunks),
        ]
        reported = tuple(notice for notice in notices if notice is not None)
        take = Take(request, seed, tuple(chunks), lost, reported)
        self.last_tokens = take.chunk_tokens
        return take

    def _refuse_unreadable(self, request: SpeakRequest) -> None:
        """Problem when nothing can be read; a long text is looked at no further than need be."""
        for text in (request.text[:_READ_FIRST], request.text):
            lost = find_lost(text, request.text_lang, self.lexicon)
            if not lost or len(lost) < count_letters(text):
                return
        raise unreadable_problem(request.text, request.text_lang)

    def stream(self, request: SpeakRequest, seed: int) -> Iterator[SpokenChunk]:
        """Speak chunk by chunk: the first is heard while the rest is still text."""
        conditioning = self._condition_on(request)
        return self._speak_texts(request, seed, self._cut(request), conditioning, _NOBODY)

    def _cut(self, request: SpeakRequest) -> list[str]:
        texts = split_text(request.text, request.slice, request.text_lang)
        if not texts:
            raise Problem("engine.speaking.no_words", ExitCode.DATA, text=request.text[:40])
        return texts

    def _speak_texts(
        self,
        request: SpeakRequest,
        seed: int,
        texts: Sequence[str],
        conditioning: _Conditioning,
        listener: Listener,
    ) -> Iterator[SpokenChunk]:
        occurrences: Counter[str] = Counter()
        token_source = f"{self._gpt_id} {self.lexicon.digest}"  # by other readings: other tokens
        for index, text in enumerate(self._fit_to_model(texts, request)):
            listener.check()
            key = chunk_key(text, occurrences[text], request, conditioning.digest, token_source)
            occurrences[text] += 1
            kept_tokens = self.last_tokens.get(key) if request.rerender_last else None
            if kept_tokens is not None:
                yield self._speak_chunk(
                    request, text, key, chunk_seed(seed, index), conditioning, kept_tokens, listener
                )
            else:
                yield self._speak_best_chunk(
                    request, text, key, seed, index, conditioning, listener
                )

    def _fit_to_model(self, texts: Sequence[str], request: SpeakRequest) -> Iterator[str]:
        """Cut pieces that would take the model longer than a minute; leave out silent ones."""
        waiting = list(reversed(texts))
        while waiting:
            text = waiting.pop()
            reading = read_text(text, request.text_lang, self.lexicon)
            if reading.is_silent:
                continue
            halves = split_in_two(text) if len(reading.phones) > _MAX_PHONES else None
            if halves is None:
                yield text
            else:
                waiting += reversed([part for part in halves if part.strip()])

    def _speak_best_chunk(
        self,
        request: SpeakRequest,
        text: str,
        key: str,
        seed: int,
        index: int,
        conditioning: _Conditioning,
        listener: Listener,
    ) -> SpokenChunk:
        """Speak; while recognition misses words, speak again with other seeds; keep the best.

        What is to be checked is heard only after that, the best attempt alone.
        """
        verified = self.recogniser is not None and request.verify and not request.early
        heard = listener.only_waiting() if verified else listener

        def attempt(number: int) -> SpokenChunk:
            drawn = chunk_seed(seed, index, number)
            return self._speak_chunk(request, text, key, drawn, conditioning, None, heard)

        best = attempt(0)
        if not verified:
            return best
        best = self._verify_chunk(best, request)
        attempts = 1
        while best.is_doubtful and attempts <= request.max_rerolls:
            other = self._verify_chunk(attempt(attempts), request)
            best = min(best, other, key=lambda chunk: (chunk.is_doubtful, chunk.error))
            attempts += 1
        listener.on_sound(best.samples)
        return replace(best, attempts=attempts)

    def _verify_chunk(self, chunk: SpokenChunk, request: SpeakRequest) -> SpokenChunk:
        assert self.recogniser is not None
        check = check_speech(
            self.recogniser, chunk.samples, chunk.text, request.text_lang, self.lexicon
        )
        return replace(chunk, check=check)

    def _condition_on(self, request: SpeakRequest) -> _Conditioning:
        reference = read_reference(request.ref_audio, check_length=not request.any_length)
        extra_references = [read_reference(path, check_length=False) for path in request.aux_refs]
        device = self.sovits.ssl_proj.weight.device
        spectrograms = [clip.spectrogram().to(device) for clip in (reference, *extra_references)]
        speakers = None
        if self._speaker_vectors is not None:
            speakers = [
                one.to(device) for one in self._speaker_vectors.of((reference, *extra_references))
            ]
        if not request.prompted:
            return _Conditioning(reference.digest, spectrograms, speakers)
        text = end_with_full_stop(request.ref_text.replace("\n", ""), request.ref_lang)
        phrase = read_phrase(text, request.ref_lang, self.text_encoder, self.lexicon)
        notice = _find_pace_notice(reference, len(phrase.phones))
        prompt = self._prompt_tokens(reference)
        return _Conditioning(reference.digest, spectrograms, speakers, phrase, prompt, notice)

    @torch.inference_mode()
    def _prompt_tokens(self, reference: ReferenceAudio) -> Tensor:
        """Semantic tokens (P,) of the clip; kept, since one clip speaks many sentences."""
        if self._cached_prompt is None or self._cached_prompt[0] != reference.digest:
            ssl = self.content_encoder.features(reference.prompt_wave())
            weight = self.sovits.ssl_proj.weight
            codes = self.sovits.extract_latent(ssl.to(weight.device, weight.dtype))  # (1, 1, P)
            self._cached_prompt = (reference.digest, codes[0, 0])
        return self._cached_prompt[1]

    def _speak_chunk(
        self,
        request: SpeakRequest,
        text: str,
        key: str,
        seed: int,
        conditioning: _Conditioning,
        kept_tokens: tuple[int, ...] | None,
        listener: Listener,
    ) -> SpokenChunk:
        phrase = read_phrase(text, request.text_lang, self.text_encoder, self.lexicon)
        limit = token_limit(len(phrase.phones), request.max_tokens)
        decoder = SentenceDecoder(
            self.sovits,
            phrase.phones,
            conditioning.spectrograms,
            conditioning.speakers,
            seed=seed,
            speed=request.speed,
            low_precision=self.low_precision,
        )
        parts: list[np.ndarray] = []

        def emit(samples: np.ndarray) -> None:
            listener.check()
            parts.append(samples)
            listener.on_sound(samples)

        if request.early and request.as_drawn and kept_tokens is None:
            early = EarlyDecoder(decoder, emit, seed, limit)

            def after_tokens(count: int, read: Callable[[], Tensor]) -> None:
                listener.check()
                early.add(count, read)

            tokens = self._sample_tokens(phrase, conditioning, request, seed, limit, after_tokens)
            early.finish(tokens)
        else:
            if kept_tokens is not None:
                tokens = torch.tensor(kept_tokens)
            else:
                tokens = self._sample_tokens(
                    phrase, conditioning, request, seed, limit, lambda *_: listener.check()
                )
            self._emit_exact(decoder.decode(tokens), request, emit)
        emit(make_silence(request.pause_s))
        return SpokenChunk(
            text=text,
            key=key,
            seed=seed,
            tokens=tuple(tokens.tolist()),
            ended=len(tokens) < limit,
            reused=kept_tokens is not None,
            samples=np.concatenate(parts),
        )

    def _emit_exact(
        self,
        parts: Iterator[np.ndarray],
        request: SpeakRequest,
        emit: Callable[[np.ndarray], None],
    ) -> None:
        """Emit a sentence in parts; at once where its pitch is shifted, which needs all of it."""
        if request.pitch:
            shifted = shift_pitch(np.concatenate(list(parts)), SPEECH_SAMPLE_RATE, request.pitch)
            parts = iter([limit_peak(shifted)])
        for samples in parts:
            emit(samples)

    def _sample_tokens(
        self,
        phrase: Phrase,
        conditioning: _Conditioning,
        request: SpeakRequest,
        seed: int,
        limit: int,
        after_tokens: AfterTokens,
    ) -> Tensor:
        """Sample the semantic tokens (S,) of one chunk, spoken after the reference's words."""
        prompted_phrase = phrase if conditioning.phrase is None else conditioning.phrase + phrase
        longest = self.gpt.config.max_positions
        if len(prompted_phrase.phones) > longest:
            raise Problem(
                "engine.speaking.too_long",
                ExitCode.DATA,
                text=phrase.normalized[:40],
                phones=len(prompted_phrase.phones),
                longest=longest,
            )
        # On the CPU like the decoder's noise: one seed means the same draws on every device.
        generator = torch.Generator().manual_seed(seed)
        return generate(
            self.gpt,
            prompted_phrase.phones,
            prompted_phrase.bert,
            conditioning.prompt_tokens,
            sampling=request.sampling,
            generator=generator,
            max_tokens=limit,
            after_tokens=after_tokens,
            graphs=self._graphs,
        )


def chunk_seed(seed: int, index: int, attempt: int = 0) -> int:
    """Seed for one chunk and attempt: speaking one again leaves the others as they were."""
    digest = hashlib.sha256(f"{seed}/{index}/{attempt}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def token_limit(phones: int, requested: int | None) -> int:
    """How many tokens a chunk of so many phones may take; `requested` wins where given.

    Training leaves out recordings of less than 3 phones a second (compat SPEC 5.6), so a chunk
    that grows longer is rambling. Never more than upstream's 1500, which is a minute.
    """
    slowest = phones * _TOKENS_PER_SECOND // 3 + _TOKENS_PER_SECOND
    return requested if requested is not None else min(_MAX_TOKENS, slowest)


def _find_pace_notice(reference: ReferenceAudio, phones: int) -> Problem | None:
    """Say when nobody speaks so many or so few phones in the time of the clip."""
    pace = phones / reference.seconds
    if _SLOWEST_PACE <= pace <= _FASTEST_PACE:
        return None
    return Problem(
        "engine.speaking.reference_text",
        ExitCode.DATA,
        file=reference.path.name,
        phones=phones,
        seconds=round(reference.seconds, 1),
    )


def _capture_notice(graphs: DecodeGraphs | None) -> Problem | None:
    """Say why speaking is slow where the GPU refused to capture a step."""
    if graphs is None or graphs.failure is None:
        return None
    return Problem("engine.speaking.not_captured", ExitCode.OK, why=graphs.failure[:200])


def _limit_notice(chunk: SpokenChunk) -> Problem | None:
    if chunk.ended:
        return None
    return Problem(
        "engine.speaking.reached_limit",
        ExitCode.DATA,
        seconds=round(len(chunk.tokens) / _TOKENS_PER_SECOND, 1),
        text=chunk.text[:40],
    )


def end_with_full_stop(text: str, language: str) -> str:
    """Add the full stop that both reference and target must end in, where it is missing."""
    text = text.strip()
    return text if text[-1] in SENTENCE_ENDS else text + ("." if language == "en" else "。")


def _gpt_digest(gpt: Text2Semantic) -> str:
    """Digest of the GPT weight: every update changes the output layer."""
    weight = gpt.ar_predict_layer.weight.detach().float().cpu()
    return hashlib.sha256(weight.numpy().tobytes()).hexdigest()[:32]
