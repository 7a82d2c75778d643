"""The body of a request: bounded in bytes and time, one JSON object."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.requests import Request

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.speaking.http.errors import Refusal

MAX_BODY_BYTES = 1 << 20
_BODY_S = 30.0
# A client that is refused in the middle of sending would see a broken connection, not the reason.
_DRAINED_BYTES = 256 << 20


async def read_json_body(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body; Refusal 400, 408 or 413 for anything else."""
    try:
        content = await asyncio.wait_for(_read(request), _BODY_S)
    except asyncio.TimeoutError:
        problem = Problem("engine.http.slow_body", ExitCode.CONFIG, seconds=int(_BODY_S))
        raise Refusal(problem, 408) from None
    return parse_body(content)


def parse_body(content: bytes) -> dict[str, Any]:
    """Return the JSON object that `content` is; Refusal 400 for anything else."""
    try:
        body = json.loads(content)
        # A half of a surrogate pair is no text: it would only fail where it is written.
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        why = str(error).splitlines()[0][:120]
        raise Refusal(Problem("engine.http.not_json", ExitCode.CONFIG, why=why)) from None
    if not isinstance(body, dict):
        raise Refusal(Problem("engine.http.not_json", ExitCode.CONFIG, why="not an object"))
    return body


async def _read(request: Request) -> bytes:
    parts: list[bytes] = []
    count = 0
    async for part in request.stream():
        count += len(part)
        if count <= MAX_BODY_BYTES:
            parts.append(part)
        elif count > _DRAINED_BYTES:
            break
    if count > MAX_BODY_BYTES:
        problem = Problem("engine.http.large_body", ExitCode.CONFIG, most=MAX_BODY_BYTES >> 10)
        raise Refusal(problem, 413, headers={"Connection": "close"})
    return b"".join(parts)
