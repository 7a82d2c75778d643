"""Foreign text as it could come: good samples with one to four things wrong in them, or noise."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

# What a field of ours could hold instead of what it should.
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**30,
    10**400,
    1e308,
    -1e-300,
    5e-324,
    "",
    "x" * 5000,
    "\x1b]0;title\x07\x1b[2J\u202e\x9b31m",
    "\ud800",
    "[bold]m[/] [/nope] [@click=app.quit]q[/]",
    "../../etc/passwd",
    [],
    {},
    [[[[]]]],
    {"en": 1, "zh": []},
    [None, 1, "a", {}],
)
# Bytes that JSON, numbers, paths, terminals or ssh files do not expect.
ODD_BYTES = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"9" * 400,
    b"9" * 5000,
    b"null",
    b"{",
    b"}",
    b"[" * 3000,
    b'{"a":' * 2000,
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\r",
    b"\n",
    b"\x1b[2J",
    b"\xe2\x80\xae",
    b"\xe2\x80\xa8",
    b" ",
    b'"',
    b"'",
    b"\\",
    b"%",
    b"|",
    b",",
    b"=",
    b"-1",
    b"\xc2\xb2",  # a superscript two, which isdigit() takes
    b"\xd9\xa3",  # an Arabic three
)


def foreign(samples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes near one of `samples`, and now and then any bytes at all."""
    ways = [_spliced(samples), st.binary(max_size=300)]
    if any(_objects(sample) for sample in samples):
        ways.insert(0, _with_odd_fields([one for one in samples if _objects(one)]))
    return st.one_of(ways)


@st.composite
def _spliced(draw: st.DrawFn, samples: Sequence[bytes]) -> bytes:
    data = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        odd = draw(st.one_of(st.sampled_from(ODD_BYTES), st.just(b""), st.binary(max_size=8)))
        data = data[:start] + odd + data[end:]
    return data


@st.composite
def _with_odd_fields(draw: st.DrawFn, samples: Sequence[bytes]) -> bytes:
    """A sample in which fields of its JSON lines hold what they should not."""
    lines = draw(st.sampled_from(samples)).split(b"\n")
    for number in draw(st.lists(st.integers(0, len(lines) - 1), min_size=1, max_size=3)):
        head, brace, _ = lines[number].partition(b"{")
        found = _parse(lines[number][len(head) :]) if brace else None
        if found is None:
            continue
        holder: Any = found
        while True:
            key = draw(
                st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder)))
            )
            inner = holder[key]
            if isinstance(inner, (dict, list)) and inner and draw(st.booleans()):
                holder = inner
                continue
            if isinstance(holder, dict) and draw(st.integers(0, 9)) == 0:
                del holder[key]
            else:
                holder[key] = draw(st.sampled_from(ODD_VALUES))
            break
        lines[number] = head + json.dumps(found).encode()
    return b"\n".join(lines)


def vary(data: bytes, rng: random.Random) -> bytes:
    """`data` with one to three more things wrong in it.

    Ten times as quick as a draw of hypothesis, which shrinks what it was made of.
    """
    for _ in range(rng.randint(1, 3)):
        varied = _vary_field(data, rng) if rng.random() < 0.6 else None
        data = varied if varied is not None else _splice(data, rng)
    return data


def _splice(data: bytes, rng: random.Random) -> bytes:
    start = rng.randint(0, len(data))
    odd = rng.choice((*ODD_BYTES, b"", rng.randbytes(rng.randint(1, 8))))
    return data[:start] + odd + data[start + rng.randint(0, 12) :]


def _vary_field(data: bytes, rng: random.Random) -> bytes | None:
    """An odd value in a field of one of a JSON line; None where the line that is taken is none."""
    lines = data.split(b"\n")
    number = rng.randrange(len(lines))
    head, brace, _ = lines[number].partition(b"{")
    found = _parse(lines[number][len(head) :]) if brace else None
    if found is None:
        return None
    holder: Any = found
    while True:
        key = rng.choice(sorted(holder) if isinstance(holder, dict) else range(len(holder)))
        inner = holder[key]
        if isinstance(inner, (dict, list)) and inner and rng.random() < 0.7:
            holder = inner
        elif isinstance(holder, dict) and rng.random() < 0.1:
            del holder[key]
            break
        else:
            holder[key] = rng.choice(ODD_VALUES)
            break
    lines[number] = head + json.dumps(found).encode()
    return b"\n".join(lines)


def _objects(sample: bytes) -> bool:
    return any(_parse(line[line.find(b"{") :]) for line in sample.split(b"\n") if b"{" in line)


def _parse(text: bytes) -> dict[str, Any] | None:
    if not re.match(rb"\s*\{", text):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found else None
