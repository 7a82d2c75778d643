"""Speaks a query through the queue and answers with its sound, whole or as it is spoken."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.speaking.http.errors import Refusal, refuse
from sovdeck.engine.speaking.http.sound_channel import SoundChannel
from sovdeck.engine.speaking.http.speech_query import SpeechQuery
from sovdeck.engine.speaking.http.speech_queue import QueueFull, SpeechJob, SpeechQueue
from sovdeck.engine.speaking.http.voice_files import confine_files
from sovdeck.engine.speaking.listener import ListenerGone
from sovdeck.engine.speaking.voice_pool import VoicePool
from sovdeck.engine.text.reader import LostCharacter

_MAX_NAMED = 32  # lost characters that the header names
_STALLED_S = 300.0  # a connection that takes nothing for so long is given up
CLOSED_REQUEST = 499  # nobody is left to read it


async def answer_speech(
    request: Request, query: SpeechQuery, voices: VoicePool, jobs: SpeechQueue
) -> Response:
    """Speak; Refusal in the client's terms where the query cannot be spoken."""
    try:
        query, lost = await asyncio.to_thread(_check, query, voices)
    except Problem as problem:
        raise refuse(problem, query.fields) from None
    channel = SoundChannel(query.sound_format, whole=query.delivery == "whole")
    gone = asyncio.ensure_future(_wait_until_gone(request, channel, jobs))
    try:
        jobs.add(
            SpeechJob(
                client_of(request),
                _steps(query, voices, channel),
                channel.end,
                channel.is_open,
                channel.is_ready,
            )
        )
        first = await _take(channel, gone)
        if first is None:
            raise ListenerGone
    except QueueFull as full:
        _close(channel, gone)
        raise busy(full) from None
    except ListenerGone:
        _close(channel, gone)
        return Response(status_code=CLOSED_REQUEST)
    except Problem as problem:
        _close(channel, gone)
        raise refuse(problem, query.fields) from None
    except BaseException:
        _close(channel, gone)
        raise
    headers = {
        "X-Sample-Rate": str(query.sound_format.rate),
        "X-Seed": str(channel.seed),
        **query.headers,
        **_name_lost(lost),
    }
    if query.delivery == "whole":
        _close(channel, gone)
        return Response(first, media_type=query.sound_format.media_type, headers=headers)
    return _SoundStream(first, channel, gone, jobs, query, headers)


def client_of(request: Request) -> str:
    """Who asks, as far as that can be told: programs behind one forward differ by their name."""
    host = request.client.host if request.client is not None else "-"
    return f"{host} {request.headers.get('user-agent', '')[:200]}"


def busy(full: QueueFull) -> Refusal:
    """Return what says when to ask again."""
    seconds = full.retry_after_s
    problem = Problem("engine.http.busy", ExitCode.UNREACHABLE, seconds=seconds)
    return Refusal(problem, 429, headers={"Retry-After": str(seconds)})


class _SoundStream(Response):
    """Sends sound as it is spoken, plainly or as server-sent events; ends with the listener."""

    def __init__(
        self,
        first: bytes,
        channel: SoundChannel,
        gone: asyncio.Future[None],
        jobs: SpeechQueue,
        query: SpeechQuery,
        headers: dict[str, str],
    ) -> None:
        self._first, self._channel, self._gone, self._jobs = first, channel, gone, jobs
        self._events = query.delivery == "events"
        self.status_code = 200
        self.media_type = "text/event-stream" if self._events else query.sound_format.media_type
        self.background = None
        self.init_headers({**headers, "Cache-Control": "no-store"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything. A take that fails in the middle breaks the connection off."""

        async def send_body(data: bytes, more: bool) -> None:
            message = {"type": "http.response.body", "body": data, "more_body": more}
            await asyncio.wait_for(send(message), _STALLED_S)
            self._jobs.wake()  # there may be room again

        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        part: bytes | None = self._first
        try:
            while part is not None:
                if part:
                    await send_body(_delta(part) if self._events else part, True)
                part = await _take(self._channel, self._gone)
            await send_body(_event(type="speech.audio.done") if self._events else b"", False)
        except (ListenerGone, asyncio.TimeoutError):
            return
        except Exception as error:
            logging.getLogger(__name__).warning("a take ended in the middle: %s", error)
            if self._events:
                message = error.sentence("en") if isinstance(error, Problem) else "internal error"
                await send_body(_event(type="error", error={"message": message}), False)
                return
            raise
        finally:
            _close(self._channel, self._gone)
            self._jobs.wake()


def _check(query: SpeechQuery, voices: VoicePool) -> tuple[SpeechQuery, Sequence[LostCharacter]]:
    """Return the query with files of the voice alone, and the characters without sound.

    Problem or Refusal for what can be refused before waiting.
    """
    service = voices.service(query.voice)
    params = confine_files(service.loader, query.params, query.fields)
    return replace(query, params=params), service.find_lost(params)


def _steps(
    query: SpeechQuery, voices: VoicePool, channel: SoundChannel
) -> Generator[Any, None, None]:
    with voices.use(query.voice) as service:
        yield from service.speak_by_chunk(query.params, channel.listener)
    channel.finish()


async def _wait_until_gone(request: Request, channel: SoundChannel, jobs: SpeechQueue) -> None:
    """Return when the client has closed its connection; the take is told at once."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    channel.close()
    jobs.wake()


async def _take(channel: SoundChannel, gone: asyncio.Future[None]) -> bytes | None:
    """The next bytes, None at the end; ListenerGone when the client leaves first."""
    taking = asyncio.ensure_future(channel.take())
    await asyncio.wait({taking, gone}, return_when=asyncio.FIRST_COMPLETED)
    if taking.done():
        return taking.result()
    taking.cancel()
    raise ListenerGone


def _close(channel: SoundChannel, gone: asyncio.Future[None]) -> None:
    channel.close()
    gone.cancel()


def _delta(sound: bytes) -> bytes:
    return _event(type="speech.audio.delta", audio=base64.b64encode(sound).decode("ascii"))


def _event(**fields: Any) -> bytes:
    return f"data: {json.dumps(fields)}\n\n".encode()


def _name_lost(lost: Sequence[LostCharacter]) -> dict[str, str]:
    """Return headers that name characters without a sound: ASCII, and not too long for a proxy."""
    if not lost:
        return {}
    named = json.dumps([one.as_json() for one in lost[:_MAX_NAMED]])
    return {"X-Unread": named, "X-Unread-Count": str(len(lost))}
