"""Before an audition is promised: the server confirms weights, sentences, room and the GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sovdeck.remote.jobs.client import RunHandle
from sovdeck.remote.preflight.other_runs import find_active_runs
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech import audition
from sovdeck.remote.speech.json_lines import run_engine_command

ENGINE_TIMEOUT_S = 180.0


@dataclass(frozen=True)
class AuditionPreflight:
    """running: the voice's audition that is being rendered. active: ids of runs that go on."""

    running: RunHandle | None
    active: tuple[str, ...] = ()


def check_audition(session: ServerSession, voice: str, options: Sequence[str]) -> AuditionPreflight:
    """Raise the engine's Problem that would keep the audition from being rendered.

    options: of `engine audition`. Nothing is asked where one is being rendered: it is joined.
    """
    running = audition.find_running(session, voice)
    if running is not None:
        return AuditionPreflight(running)
    work = str(session.layout().work)
    run_engine_command(
        session.connection(),
        session.require_deployment(),
        ["audition", voice, "--work", work, "--check", *options],
        timeout=ENGINE_TIMEOUT_S,
    )
    return AuditionPreflight(None, find_active_runs(session))
