"""A voice that stays loaded on a server, spoken through one SSH channel.

`python -m engine speak VOICE --serve` answers JSON lines (see `engine.speaking.pipe`). It ends
with its channel, so nothing is left behind when this laptop goes away.
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

from engine.contract.problem import ExitCode, Problem
from remote.deployed import Deployed
from remote.engine_talk import (
    JsonLines,
    check_end,
    ended,
    number_in,
    refusal,
    rows_in,
    text_in,
    whole_in,
)
from remote.link import Link

RATE = 32_000
LOAD_S = 900.0  # a cold disk and a full-size pair
PIECE_S = 900.0  # a minute of speech on a slow processor
LOOK_S = 0.2
STOP_S = 5.0
MOST_SECONDS = 3600.0 * 6


@dataclass(frozen=True)
class Piece:
    """One sentence as it arrived: 16-bit mono samples at 32 kHz, little endian, pause included."""

    index: int
    text: str
    seconds: float
    ended: bool
    reused: bool
    attempts: int
    error: float | None
    pcm: bytes


@dataclass(frozen=True)
class Spoken:
    """A whole take. `wav` is its file on the server, below the work folder."""

    wav: str
    bytes: int
    sha256: str
    seconds: float
    seed: int


@dataclass(frozen=True)
class Weight:
    """One weight file as the engine lists it, oldest epoch first."""

    name: str
    epoch: int | None
    bytes: int


@dataclass(frozen=True)
class Weights:
    """What there is to speak with now; `loaded` is the pair (GPT, SoVITS) in memory."""

    gpt: tuple[Weight, ...]
    sovits: tuple[Weight, ...]
    loaded: tuple[str, str] | None = None


class Speaker:
    """One resident process. One request at a time: callers of several threads wait."""

    def __init__(
        self, link: Link, deployed: Deployed, voice: str, options: Sequence[str] = ()
    ) -> None:
        """Start it and wait until the voice is loaded. Raises the engine's own Problem.

        options: of `engine speak`, for example `--device cpu`.
        """
        self.voice = voice
        self._server = link.name
        self._lock = threading.Lock()
        self._number = 0
        work = str(deployed.layout.work)
        argv = deployed.engine(["speak", voice, "--serve", "--work", work, "--json", *options])
        self._stream = link.open_stream(argv)
        self._lines = JsonLines(self._stream, link.name)
        try:
            self._expect(self._next(LOAD_S), "ready")
        except BaseException:
            self._stream.close()
            raise

    def __enter__(self) -> Speaker:
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

    def weights(self) -> Weights:
        """The weights on the disk now, also those a run has exported meanwhile."""
        with self._lock:
            name = self._send({"list": True})
            return weights_of(self._expect(self._answer(name), "weights"))

    def load(self, gpt: str | None = None, sovits: str | None = None) -> Weights:
        """Change the pair; "" is the newest, None keeps what is loaded."""
        wanted = {"gpt": gpt, "sovits": sovits}
        given = {name: value for name, value in wanted.items() if value is not None}
        with self._lock:
            name = self._send({"weights": given})
            return weights_of(self._expect(self._answer(name), "weights"))

    def speak(
        self,
        params: Mapping[str, Any],
        on_piece: Callable[[Piece], None],
        cancel: threading.Event | None = None,
    ) -> Spoken:
        """Speak `infer` parameters (names without prefix); `on_piece` hears each sentence.

        A refusal costs only this take. Problem INTERRUPTED when `cancel` was set meanwhile.
        """
        with self._lock:
            name = self._send({"speak": dict(params)})
            try:
                return self._hear(name, on_piece, cancel or threading.Event())
            except BaseException as error:
                if not isinstance(error, Problem):  # a key, or the caller's own fault
                    self._stream.close()
                raise

    def _hear(
        self, name: int, on_piece: Callable[[Piece], None], cancel: threading.Event
    ) -> Spoken:
        index, told = 0, False
        seconds = 0.0
        while True:
            if cancel.is_set() and not told:
                self._write({"cancel": name})
                told = True
            said = self._answer(name, cancel=None if told else cancel)
            if said is None:
                continue
            event = said.get("event")
            if event == "cancelled" or (event == "done" and told):
                raise Problem("remote.speak.cancelled", ExitCode.INTERRUPTED)
            if event == "done":
                return self._spoken(said)
            piece = self._piece(self._expect(said, "piece"), index)
            index += 1
            seconds += piece.seconds
            if seconds > MOST_SECONDS:
                raise Problem("remote.speak.flood", ExitCode.INTERNAL, server=self._server)
            if not told:
                on_piece(piece)

    def _piece(self, said: Mapping[str, Any], index: int) -> Piece:
        pcm = said.get("pcm")
        try:
            sound = base64.b64decode(pcm if isinstance(pcm, str) else "", validate=True)
        except (binascii.Error, ValueError):
            sound = b""
        if not sound or len(sound) % 2 or said.get("rate") != RATE or said.get("index") != index:
            raise self._odd("piece")
        return Piece(
            index, text_in(said, "text"), len(sound) / 2 / RATE,
            said.get("ended") is not False, said.get("reused") is True,
            whole_in(said, "attempts") or 1, number_in(said, "error"), sound,
        )  # fmt: skip

    def _spoken(self, said: Mapping[str, Any]) -> Spoken:
        size, seed = whole_in(said, "bytes"), whole_in(said, "seed")
        seconds, digest = number_in(said, "seconds"), text_in(said, "sha256")
        if size is None or seed is None or seconds is None or len(digest) != 64:
            raise self._odd("done")
        return Spoken(text_in(said, "wav"), size, digest, seconds, seed)

    def _send(self, request: Mapping[str, Any]) -> int:
        self._number += 1
        self._write({"id": self._number, **request})
        return self._number

    def _write(self, request: Mapping[str, Any]) -> None:
        try:
            self._stream.write(json.dumps(request, ensure_ascii=False).encode() + b"\n")
        except Problem as problem:
            if problem.key != "remote.link.input_closed":
                raise
            # It has ended: what it said last tells more than that nobody reads.
            while self._next(STOP_S) is not None:
                pass
            raise ended(self._stream, self._server) from None

    def _answer(self, name: int, *, cancel: threading.Event | None = None) -> dict[str, Any] | None:
        """The next line for request `name`; None when `cancel` was set first."""
        limit = time.monotonic() + PIECE_S
        while True:
            look = limit if cancel is None else min(limit, time.monotonic() + LOOK_S)
            try:
                said = self._lines.next(look)
            except TimeoutError:
                if time.monotonic() >= limit:
                    raise self._silent(PIECE_S) from None
                if cancel is not None and cancel.is_set():
                    return None
                continue
            if said is None:
                raise ended(self._stream, self._server)
            if said.get("id") == name:
                return said

    def _next(self, limit: float) -> dict[str, Any] | None:
        try:
            return self._lines.next(time.monotonic() + limit)
        except TimeoutError:
            raise self._silent(limit) from None

    def _expect(self, said: Mapping[str, Any] | None, event: str) -> Mapping[str, Any]:
        """`said` when it is that event; the Problem it tells of, or that it ended, otherwise."""
        if said is None:
            check_end(self._stream, self._server, {})
            raise ended(self._stream, self._server)
        if said.get("event") == event:
            return said
        raise refusal(said) or self._odd(event)

    def _odd(self, event: str) -> Problem:
        self._stream.close()  # two that do not understand each other should not go on
        return Problem("remote.speak.odd", ExitCode.INTERNAL, server=self._server, event=event)

    def _silent(self, seconds: float) -> Problem:
        self._stream.close()
        return Problem(
            "remote.speak.silent", ExitCode.UNREACHABLE, server=self._server, seconds=int(seconds)
        )

    def _stop(self) -> None:
        """Let it end by itself, shortly: then it has freed its memory when we say so."""
        try:
            self._write({"stop": True})
            self._stream.close_write()
            while self._next(STOP_S) is not None:
                pass
        except Problem:
            return  # gone already; closing the channel is all there is left to do


def weights_of(said: Mapping[str, Any]) -> Weights:
    """A list of weights as the engine tells it; entries that make no sense are left out."""
    pair = said.get("loaded")
    loaded = None
    if isinstance(pair, dict):
        loaded = (text_in(pair, "gpt"), text_in(pair, "sovits"))
    return Weights(_weights(said, "gpt"), _weights(said, "sovits"), loaded)


def _weights(said: Mapping[str, Any], kind: str) -> tuple[Weight, ...]:
    return tuple(
        Weight(text_in(row, "name"), whole_in(row, "epoch"), whole_in(row, "bytes") or 0)
        for row in rows_in(said, kind)
        if text_in(row, "name")
    )
