"""A question that outlives the connection it was first asked over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from remote.faults import LinkLost
from remote.link import Link
from remote.pool import Connect

Answer = TypeVar("Answer")


def ask(link: Link, connect: Connect, question: Callable[[Link], Answer]) -> Answer:
    """Put `question` to the server; when the link is found dead, once more over a new one.

    For what comes after hours of work, when the link it began with may be gone. The question
    may be heard twice, so it must be one that does no harm the second time.
    """
    try:
        return question(link)
    except LinkLost:
        with connect() as fresh:
            return question(fresh)
