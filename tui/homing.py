"""Saves that come home while a verb follows a run, and what is said of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.contract.problem import Problem
from tui.console import Console, size

if TYPE_CHECKING:
    from remote.autopull import AutoPull
    from remote.studio import Studio
    from remote.sync import Synced, Way
    from remote.transfer.policy import When


@contextmanager
def at_each_save(
    studio: Studio, voice: str, outputs: Path, way: Way, when: When, console: Console
) -> Iterator[AutoPull]:
    """An AutoPull for the run that the block follows; feed it the run's events."""
    from remote.autopull import AutoPull
    from remote.sync import sync

    def bring() -> Synced:
        link = studio.link()
        return sync(studio.connect, link, studio.deployed(), voice, outputs, way, when=when)

    def told(news: Synced | Problem) -> None:
        if isinstance(news, Problem):
            console.say("tui.cli.save_failed", why=news.sentence(console.language))
            return
        for path in news.files:
            console.say("tui.cli.save_came", path=path)

    auto = AutoPull(bring, told)
    try:
        yield auto
    except BaseException:
        way.cancel.set()
        raise
    finally:
        auto.close()


def say_synced(console: Console, synced: Synced, server: str) -> None:
    """What a look brought, and whether the server may go."""
    console.say(
        "tui.cli.synced", voice=synced.voice, count=len(synced.files), size=size(synced.bytes),
        kept=synced.kept, folder=str(synced.folder.parent.parent),
    )  # fmt: skip
    verdict = synced.verdict
    if verdict.safe:
        console.say("tui.cli.safe_off", voice=synced.voice, server=server)
    elif verdict.running:
        console.say("tui.cli.still_running", server=server)
    elif verdict.missing:
        console.say("tui.cli.not_all_here", count=len(verdict.missing), first=verdict.missing[0])
    else:
        console.say("tui.cli.nothing_named", voice=synced.voice, server=server)
    console.emit(
        {
            "voice": synced.voice, "files": list(synced.files), "bytes": synced.bytes,
            "kept_files": synced.kept, "seconds": round(synced.seconds, 2),
            "safe_to_switch_off": verdict.safe, "missing": list(verdict.missing),
            "running": verdict.running,
        }
    )  # fmt: skip


def quiet_way(cancel: threading.Event, limit: float | None) -> Way:
    """For saves that come beside a training: nothing of it is drawn."""
    from remote.sync import AUTO, Way

    return Way(lambda progress: None, cancel, limit=limit, tuning=AUTO)
