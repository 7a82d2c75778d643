"""A session with a voice that stays loaded on a server, over one SSH channel.

`python -m sovdeck.engine speak VOICE --serve` answers JSON lines (see
`sovdeck.engine.speaking.stdio_server`). It ends with its channel, so nothing is
left behind when this laptop goes away.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.voice_assets import WeightFile
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.errors import InputClosed
from sovdeck.remote.speech.engine_end import ended_problem
from sovdeck.remote.speech.json_lines import (
    JsonLines,
    check_exit,
    int_field,
    number_field,
    object_list_field,
    parse_engine_problem,
    text_field,
)
from sovdeck.remote.ssh.client import SSHConnection

SAMPLE_RATE = 32_000
LOAD_TIMEOUT_S = 900.0  # a cold disk and a full-size pair of weights
CHUNK_TIMEOUT_S = 900.0  # a minute of speech on a slow processor
POLL_S = 0.2
STOP_TIMEOUT_S = 5.0
MAX_SECONDS = 3600.0 * 6


@dataclass(frozen=True)
class SpeechChunk:
    """One sentence of speech as it arrived.

    pcm: 16-bit mono samples at 32 kHz, little endian, with the pause after it. seconds: its length.
    error: share of phones that speech recognition heard wrong; None where it was not checked.
    """

    index: int
    text: str
    seconds: float
    ended: bool
    reused: bool
    attempts: int
    error: float | None
    pcm: bytes


@dataclass(frozen=True)
class SpeechResult:
    """A whole take. wav: its file on the server, below the work folder; sha256: of that, hex.

    notices: what a person should know although it was spoken, as characters without sound.
    """

    wav: str
    bytes: int
    sha256: str
    seconds: float
    seed: int
    notices: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class AvailableWeights:
    """The weight files on the server now; `loaded` is the pair (GPT, SoVITS) in memory."""

    gpt: tuple[WeightFile, ...]
    sovits: tuple[WeightFile, ...]
    loaded: tuple[str, str] | None = None


class SpeechSession:
    """One resident engine process. One request at a time: callers of several threads wait."""

    def __init__(
        self,
        connection: SSHConnection,
        deployed: Deployed,
        voice: str,
        options: Sequence[str] = (),
        on_loading: Callable[[str], None] = lambda _step: None,
    ) -> None:
        """Start it and wait until the voice is loaded. Raises the engine's own Problem.

        options: of `engine speak`, for example `--device cpu`. on_loading: gets what is loaded
        next, "sovits", "encoders" or "gpt".
        """
        self.voice = voice
        self._server = connection.name
        self._lock = threading.Lock()
        self._last_id = 0
        work = str(deployed.layout.work)
        argv = deployed.engine_argv(["speak", voice, "--serve", "--work", work, "--json", *options])
        self._stream = connection.open_stream(argv)
        self._lines = JsonLines(self._stream, connection.name)
        try:
            message = self._read_message(LOAD_TIMEOUT_S)
            while message is not None and message.get("event") == "loading":
                on_loading(text_field(message, "step"))
                message = self._read_message(LOAD_TIMEOUT_S)
            self._expect_event(message, "ready")
        except BaseException:
            self._stream.close()
            raise

    def __enter__(self) -> SpeechSession:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Ask it to end, and end the channel; from any thread."""
        if self._lock.acquire(timeout=0.0):
            try:
                self._stop()
            finally:
                self._lock.release()
        self._stream.close()

    def weights(self) -> AvailableWeights:
        """The weights on the disk now, also those a run has exported meanwhile."""
        with self._lock:
            request_id = self._send({"list": True})
            return parse_weights(self._expect_event(self._next_reply(request_id), "weights"))

    def load(self, gpt: str | None = None, sovits: str | None = None) -> AvailableWeights:
        """Load other weights by name; "" is the newest, None keeps what is loaded."""
        wanted = {"gpt": gpt, "sovits": sovits}
        given = {kind: name for kind, name in wanted.items() if name is not None}
        with self._lock:
            request_id = self._send({"weights": given})
            return parse_weights(self._expect_event(self._next_reply(request_id), "weights"))

    def speak(
        self,
        params: Mapping[str, Any],
        on_chunk: Callable[[SpeechChunk], None],
        cancel: threading.Event | None = None,
        on_sound: Callable[[bytes], None] | None = None,
    ) -> SpeechResult:
        """Speak with `infer` parameters (names without prefix); `on_chunk` gets each sentence.

        on_sound: gets the samples of a sentence before it is whole, in order and each once. After
        a Problem of the engine the session goes on. Problem INTERRUPTED when `cancel` was set
        meanwhile.
        """
        with self._lock:
            request_id = self._send({"speak": dict(params), "sounds": on_sound is not None})
            try:
                return self._receive_take(
                    request_id, on_chunk, cancel or threading.Event(), on_sound
                )
            except BaseException as error:
                if not isinstance(error, Problem):  # a key, or the caller's own fault
                    self._stream.close()
                raise

    def _receive_take(
        self,
        request_id: int,
        on_chunk: Callable[[SpeechChunk], None],
        cancel: threading.Event,
        on_sound: Callable[[bytes], None] | None,
    ) -> SpeechResult:
        index, cancel_sent = 0, False
        sounds = bytearray()
        seconds = 0.0
        while True:
            if cancel.is_set() and not cancel_sent:
                self._write({"cancel": request_id})
                cancel_sent = True
            message = self._next_reply(request_id, cancel=None if cancel_sent else cancel)
            if message is None:
                continue
            event = message.get("event")
            if event == "cancelled" or (event == "done" and cancel_sent):
                raise Problem("remote.speak.cancelled", ExitCode.INTERRUPTED)
            if event == "done":
                return self._parse_result(message)
            if event == "sound":
                sound = self._parse_sound(message, "sound")
                sounds += sound
                if len(sounds) > MAX_SECONDS * SAMPLE_RATE * 2:
                    raise Problem("remote.speak.flood", ExitCode.INTERNAL, server=self._server)
                if on_sound is not None and not cancel_sent:
                    on_sound(sound)
                continue
            chunk = self._parse_chunk(self._expect_event(message, "piece"), index, bytes(sounds))
            sounds.clear()
            index += 1
            seconds += chunk.seconds
            if seconds > MAX_SECONDS:
                raise Problem("remote.speak.flood", ExitCode.INTERNAL, server=self._server)
            if not cancel_sent:
                on_chunk(chunk)

    def _parse_sound(self, message: Mapping[str, Any], event: str) -> bytes:
        pcm = message.get("pcm")
        try:
            sound = base64.b64decode(pcm if isinstance(pcm, str) else "", validate=True)
        except (binascii.Error, ValueError):
            sound = b""
        if not sound or len(sound) % 2 or message.get("rate") != SAMPLE_RATE:
            raise self._unexpected_answer(event)
        return sound

    def _parse_chunk(self, message: Mapping[str, Any], index: int, sound: bytes) -> SpeechChunk:
        """A sentence whose samples came before it, or come with it where `sound` is empty."""
        if message.get("index") != index:
            raise self._unexpected_answer("piece")
        sound = sound or self._parse_sound(message, "piece")
        return SpeechChunk(
            index,
            text_field(message, "text"),
            len(sound) / 2 / SAMPLE_RATE,
            message.get("ended") is not False,
            message.get("reused") is True,
            int_field(message, "attempts") or 1,
            number_field(message, "error"),
            sound,
        )

    def _parse_result(self, message: Mapping[str, Any]) -> SpeechResult:
        size, seed = int_field(message, "bytes"), int_field(message, "seed")
        seconds, digest = number_field(message, "seconds"), text_field(message, "sha256")
        if size is None or seed is None or seconds is None or len(digest) != 64:
            raise self._unexpected_answer("done")
        notices = map(parse_engine_problem, object_list_field(message, "notices"))
        reported = tuple(notice for notice in notices if notice is not None)
        return SpeechResult(text_field(message, "wav"), size, digest, seconds, seed, reported)

    def _send(self, request: Mapping[str, Any]) -> int:
        self._last_id += 1
        self._write({"id": self._last_id, **request})
        return self._last_id

    def _write(self, request: Mapping[str, Any]) -> None:
        try:
            self._stream.write(json.dumps(request, ensure_ascii=False).encode() + b"\n")
        except InputClosed:  # it has ended: the end of its stderr says why
            while self._read_message(STOP_TIMEOUT_S) is not None:
                pass
            raise ended_problem(self._stream, self._server) from None

    def _next_reply(
        self, request_id: int, *, cancel: threading.Event | None = None
    ) -> dict[str, Any] | None:
        """The next message for a request; None when `cancel` was set first."""
        limit = time.monotonic() + CHUNK_TIMEOUT_S
        while True:
            deadline = limit if cancel is None else min(limit, time.monotonic() + POLL_S)
            try:
                message = self._lines.next(deadline)
            except TimeoutError:
                if time.monotonic() >= limit:
                    raise self._timed_out(CHUNK_TIMEOUT_S) from None
                if cancel is not None and cancel.is_set():
                    return None
                continue
            if message is None:
                raise ended_problem(self._stream, self._server)
            if message.get("id") == request_id:
                return message

    def _read_message(self, limit: float) -> dict[str, Any] | None:
        try:
            return self._lines.next(time.monotonic() + limit)
        except TimeoutError:
            raise self._timed_out(limit) from None

    def _expect_event(self, message: Mapping[str, Any] | None, event: str) -> Mapping[str, Any]:
        """The message when it is that event; raises the Problem it reports, or how it ended."""
        if message is None:
            check_exit(self._stream, self._server, {})
            raise ended_problem(self._stream, self._server)
        if message.get("event") == event:
            return message
        raise parse_engine_problem(message) or self._unexpected_answer(event)

    def _unexpected_answer(self, event: str) -> Problem:
        self._stream.close()  # what the next message would mean is unknown too
        return Problem("remote.speak.odd", ExitCode.INTERNAL, server=self._server, event=event)

    def _timed_out(self, seconds: float) -> Problem:
        self._stream.close()
        return Problem(
            "remote.speak.silent", ExitCode.UNREACHABLE, server=self._server, seconds=int(seconds)
        )

    def _stop(self) -> None:
        """Let it end by itself, within STOP_TIMEOUT_S: its memory is free when this returns."""
        try:
            self._write({"stop": True})
            self._stream.close_write()
            while self._read_message(STOP_TIMEOUT_S) is not None:
                pass
        except Problem:
            return  # gone already; closing the channel is all there is left to do


def parse_weights(message: Mapping[str, Any]) -> AvailableWeights:
    """The weights that a message of the engine lists; entries without a name are left out."""
    pair = message.get("loaded")
    loaded = None
    if isinstance(pair, dict):
        loaded = (text_field(pair, "gpt"), text_field(pair, "sovits"))
    return AvailableWeights(
        _parse_weight_list(message, "gpt"), _parse_weight_list(message, "sovits"), loaded
    )


def _parse_weight_list(message: Mapping[str, Any], kind: str) -> tuple[WeightFile, ...]:
    return tuple(
        WeightFile(
            text_field(row, "name"),
            int_field(row, "epoch"),
            int_field(row, "bytes") or 0,
            text_field(row, "version") or "v2",
        )
        for row in object_list_field(message, kind)
        if text_field(row, "name")
    )
