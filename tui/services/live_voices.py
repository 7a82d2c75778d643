"""Voices for real: what lies on a server, what is here, and the way home."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.contract.problem import Problem
from remote import job
from remote.asking import ask
from remote.autopull import AutoPull
from remote.homecoming import bring_home
from remote.ledger import Ledger
from remote.studio import Studio
from remote.sync import AUTO, Synced, Way, sync
from remote.transfer.agent_reading import Named, names
from remote.transfer.policy import When
from remote.transfer.progress import Progress
from remote.voice_files import version_of, voice_of
from tui.moving import limit, tuning
from tui.services.protocols import Cancel, Emit
from tui.services.studios import Studios, now_ms
from tui.services.telling import moved
from tui.state import events as ev
from tui.state.facts import Remark
from tui.state.work import Checkpoint, Transfer, Voice
from tui.verbs.pull import wanted_contents

_WEIGHT = re.compile(r"(?P<folder>GPT|SoVITS)_weights/(?P<voice>[^/]+)/(?P<file>[^/]+)\Z")
_EPOCH = re.compile(r"(?:-e|_e)(?P<epoch>\d+)(?:_s(?P<step>\d+))?\.(?:ckpt|pth)\Z")

LISTED = ("GPT_weights", "SoVITS_weights", "packs")
ENDING_LOOKS, ENDING_LOOK_S = 3, 1.0


class LiveVoices:
    def __init__(self, studios: Studios) -> None:
        self._studios = studios

    def refresh(self, server: str, emit: Emit, cancel: Cancel) -> None:
        studio = self._studios.get(server)
        emit(ev.VoicesSeen(server, self._voices(studio), now_ms()))

    def pull(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        studio = self._studios.get(server)
        row = Transfer(f"pull:{server}/{voice}", "pull", server, voice)

        def report(progress: Progress) -> None:
            nonlocal row
            row = moved(row, progress)
            emit(ev.TransferChanged(row))

        try:
            home = bring_home(
                studio.connect, studio.link(), studio.deployed(), voice, outputs_of(studio),
                report=report, cancel=cancel, verify=studio.config.pull.verify,
                contents=wanted_contents(studio.config), bandwidth=limit(studio.config),
                tuning=tuning(studio.config),
            )  # fmt: skip
        except Problem:
            if cancel.is_set():
                return  # what arrived stays; the next pull goes on from there
            raise
        emit(
            ev.TransferChanged(
                replace(
                    row, state="done", phase="", done=home.bytes, total=home.bytes,
                    verified=home.verified, path=str(home.folder), sha256=home.sha256,
                    at_work=still_at_work(studio, cancel),
                )
            )
        )  # fmt: skip
        emit(ev.VoicesSeen(server, self._voices(studio), now_ms()))

    def follow_run(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> AutoPull | None:
        """Bring saves home as a run of `voice` writes them, where deploy.toml wants that.

        Feed it the run's events, and close it with the watch of the run.
        """
        studio = self._studios.get(server)
        when = When(studio.config.pull.auto)
        if when is When.NEVER or not voice:
            return None
        row = Transfer(f"auto:{server}/{voice}", "pull", server, voice, by_itself=True)

        def report(progress: Progress) -> None:
            nonlocal row
            row = moved(replace(row, state="running"), progress)
            emit(ev.TransferChanged(row))

        way = Way(report, cancel, limit=limit(studio.config), tuning=AUTO)

        def bring() -> Synced:
            link, deployed = studio.link(), studio.deployed()
            return sync(studio.connect, link, deployed, voice, outputs_of(studio), way, when=when)

        def told(news: Synced | Problem) -> None:
            if isinstance(news, Problem):
                why = Remark("warning", news.message, news.hint)
                emit(ev.TransferChanged(replace(row, state="failed", why=why)))
                return
            done = replace(
                row, state="done", phase="", done=news.bytes, total=news.bytes, verified=True,
                path=str(news.folder), count=len(news.files), why=None,
            )  # fmt: skip
            emit(ev.TransferChanged(done))
            emit(ev.VoicesSeen(server, self._voices(studio), now_ms()))

        return AutoPull(bring, told)

    def _voices(self, studio: Studio) -> tuple[Voice, ...]:
        link, work = studio.link(), str(studio.layout().work)
        found = ask(link, studio.connect, lambda there: names(there, work, LISTED))
        going = at_work(studio)
        outputs = outputs_of(studio)
        here = Ledger(outputs).here(link.name)
        marks = {one.path: version_of(one.size, one.mtime) for one in found}

        def with_home(voice: Voice) -> Voice:
            if voice.pack is None or voice.pack not in here:
                return voice
            # Safe means: this very pack is here, compared with the server's, and nothing runs.
            same = here[voice.pack] == marks[voice.pack]
            return replace(voice, home=str(outputs / voice.name), safe=same and not going)

        return tuple(map(with_home, read_listing(studio.name, found)))


def still_at_work(studio: Studio, cancel: Cancel) -> bool:
    """As `at_work`, but a run that is just ending, its voice packed, gets a moment to do so."""
    for _ in range(ENDING_LOOKS):
        if not at_work(studio):
            return False
        cancel.wait(ENDING_LOOK_S)
    return at_work(studio)


def at_work(studio: Studio) -> bool:
    """Whether any run there may still write."""
    layout = studio.layout()
    states = ask(studio.link(), studio.connect, lambda there: job.runs(there, layout))
    return any(not state.ended for state in states)


def outputs_of(studio: Studio) -> Path:
    return Path(studio.config.paths.outputs).absolute()


def read_listing(server: str, found: Sequence[Named]) -> tuple[Voice, ...]:
    """The voices that weights and packs below the work folder belong to. Pure."""
    voices: dict[str, Voice] = {}
    for one in found:
        weight = _WEIGHT.match(one.path)
        name = voice_of(one.path)
        if not name:
            continue
        voice = voices.setdefault(name, Voice(server, name))
        point = _checkpoint(weight, one.path, one.size) if weight is not None else None
        if point is not None:
            voices[name] = replace(voice, checkpoints=(*voice.checkpoints, point))
        elif one.path.startswith("packs/"):
            voices[name] = replace(voice, pack=one.path, pack_bytes=one.size)
    order = sorted(voices.values(), key=lambda voice: voice.name)
    return tuple(
        replace(voice, checkpoints=tuple(sorted(voice.checkpoints, key=_trained)))
        for voice in order
    )


def _checkpoint(weight: re.Match[str], path: str, size: int) -> Checkpoint | None:
    epoch = _EPOCH.search(weight["file"])
    if epoch is None:
        return None
    step = int(epoch["step"]) if epoch["step"] else None
    stage = "gpt" if weight["folder"] == "GPT" else "sovits"
    return Checkpoint(path, stage, int(epoch["epoch"]), size, step)


def _trained(point: Checkpoint) -> tuple[str, int, int]:
    return (point.stage, point.epoch, point.step or 0)
