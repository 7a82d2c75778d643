"""Voices for real: what lies on a server, what is here, and the way home."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from engine.contract.problem import Problem
from remote.homecoming import Home, bring_home
from remote.studio import Studio
from remote.transfer.progress import Progress
from tui.services.protocols import Cancel, Emit
from tui.services.studios import Studios, now_ms
from tui.services.telling import moved
from tui.state import events as ev
from tui.state.work import Checkpoint, Transfer, Voice

# Size and path of every weight and pack, NUL between: names may hold anything else.
_LIST = """cd -- "$1" || exit 0
for file in GPT_weights/*/*.ckpt SoVITS_weights/*/*.pth packs/*.zip; do
    [ -f "$file" ] && printf '%s %s\\0' "$(wc -c <"$file")" "$file"
done
exit 0
"""
_WEIGHT = re.compile(r"(?P<folder>GPT|SoVITS)_weights/(?P<voice>[^/]+)/(?P<file>[^/]+)\Z")
_EPOCH = re.compile(r"(?:-e|_e)(?P<epoch>\d+)(?:_s(?P<step>\d+))?\.(?:ckpt|pth)\Z")


class LiveVoices:
    def __init__(self, studios: Studios) -> None:
        self._studios = studios
        self._home: dict[str, Home] = {}

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

        outputs = Path(studio.config.paths.outputs).absolute()
        try:
            home = bring_home(
                studio.connect, studio.link(), studio.deployed(), voice, outputs,
                report=report, cancel=cancel,
            )  # fmt: skip
        except Problem:
            if cancel.is_set():
                return  # what arrived stays; the next pull goes on from there
            raise
        self._home[f"{server}/{voice}"] = home
        emit(
            ev.TransferChanged(
                replace(
                    row, state="done", phase="", done=home.bytes, total=home.bytes,
                    verified=home.verified, path=str(home.folder), sha256=home.sha256,
                )
            )
        )  # fmt: skip
        emit(ev.VoicesSeen(server, self._voices(studio), now_ms()))

    def _voices(self, studio: Studio) -> tuple[Voice, ...]:
        result = studio.link().run(["sh", "-c", _LIST, "list", str(studio.layout().work)])
        voices = read_listing(studio.name, result.out.decode("utf-8", "replace"))
        return tuple(self._with_home(voice) for voice in voices)

    def _with_home(self, voice: Voice) -> Voice:
        home = self._home.get(voice.key)
        if home is None:
            return voice
        # Safe means: this very pack is here, whole and compared with the server's checksum.
        same = home.verified and home.zip.is_file() and home.bytes == voice.pack_bytes
        return replace(voice, home=str(home.folder), safe=same)


def read_listing(server: str, output: str) -> tuple[Voice, ...]:
    """The voices named by a listing of `SIZE PATH` entries. Pure; odd entries are left out."""
    found: dict[str, Voice] = {}
    for entry in output.split("\0"):
        size, _, path = entry.partition(" ")
        if not size.isascii() or not size.isdigit():
            continue
        weight = _WEIGHT.match(path)
        if weight is not None:
            voice = found.setdefault(weight["voice"], Voice(server, weight["voice"]))
            point = _checkpoint(weight, path, int(size))
            if point is not None:
                found[voice.name] = replace(voice, checkpoints=(*voice.checkpoints, point))
        elif path.startswith("packs/") and path.endswith(".zip") and "/" not in path[6:]:
            name = path[6:-4]
            voice = found.setdefault(name, Voice(server, name))
            found[name] = replace(voice, pack=path, pack_bytes=int(size))
    order = sorted(found.values(), key=lambda voice: voice.name)
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
