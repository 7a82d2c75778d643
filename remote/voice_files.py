"""What of a voice lies on a server, and where its copies lie here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath

from engine.contract import events
from engine.contract.fold import RunState, fold
from engine.contract.layout import Layout, check_name
from remote import local_names
from remote.link import Link
from remote.transfer import agent_reading
from remote.transfer.agent_reading import Named
from remote.transfer.policy import Save

# No voice is called that: names begin with a letter or a digit.
SAVES = "_saves"
# Every spec that is there, each ended by a zero byte.
_SPECS = 'cd -- "$1" && for f in runs/*/spec.json; do [ -f "$f" ] && cat "$f" && printf "\\0"; done'


@dataclass(frozen=True)
class VoiceFiles:
    """`files` of one voice, oldest first; `runs` are the ids of its runs, by name."""

    voice: str
    runs: tuple[str, ...]
    files: tuple[Named, ...]

    @property
    def pack(self) -> Named | None:
        return next((one for one in self.files if one.path == f"packs/{self.voice}.zip"), None)


def look(link: Link, layout: Layout, voice: str) -> VoiceFiles:
    """Its weights, its pack and the samples of its runs; two exchanges, nothing is read."""
    check_name(voice)
    runs = tuple(run for run, name in _runs(link, layout) if name == voice)
    parts = [f"GPT_weights/{voice}", f"SoVITS_weights/{voice}", f"packs/{voice}.zip"]
    parts += [f"runs/{run}/samples" for run in runs]
    found = agent_reading.names(link, str(layout.work), parts)
    finished = [one for one in found if not one.path.rpartition("/")[2].startswith(".")]
    order = sorted(finished, key=lambda one: (one.mtime, one.path))
    return VoiceFiles(voice, runs, tuple(order))


def voices(link: Link, layout: Layout) -> tuple[str, ...]:
    """Every voice that has a weight or a pack on the server."""
    parts = ("GPT_weights", "SoVITS_weights", "packs")
    found = {voice_of(one.path) for one in agent_reading.names(link, str(layout.work), parts)}
    return tuple(sorted(voice for voice in found if voice))


def newest_run(link: Link, layout: Layout, voice: str = "") -> tuple[str, str] | None:
    """(run, voice) of the newest run, of `voice` when that is named; None without one."""
    found = [pair for pair in _runs(link, layout) if voice in ("", pair[1])]
    return found[-1] if found else None


def voice_of(path: str) -> str:
    """The voice a weight or a pack belongs to; empty for anything else."""
    parts = path.split("/")
    if len(parts) == 3 and parts[0] in ("GPT_weights", "SoVITS_weights"):
        return parts[1]
    packed = len(parts) == 2 and parts[0] == "packs" and path.endswith(".zip")
    return parts[1].removesuffix(".zip") if packed and not parts[1].startswith(".") else ""


def version_of(size: int, mtime: int) -> str:
    """What tells one content of a file from another without reading it."""
    return f"{size}-{mtime}"


def save_of(named: Named, scores: dict[str, float]) -> Save:
    """A file as the policy sees it: weights and packs by kind, all else goes along."""
    path = named.path
    kind = ""
    if path.startswith("GPT_weights/") and path.endswith(".ckpt"):
        kind = "gpt"
    elif path.startswith("SoVITS_weights/") and path.endswith(".pth"):
        kind = "sovits"
    elif path.startswith("packs/"):
        kind = "pack"
    return Save(path, version_of(named.size, named.mtime), kind, scores.get(path))


def place(voice: str, path: str) -> PurePosixPath | None:
    """Where a file of `voice` lies below our folder of voices; None if its name leads elsewhere.

    GPT_weights/NAME/FILE -> _saves/NAME/GPT_weights/FILE, runs/RUN/samples/FILE ->
    _saves/NAME/samples/RUN/FILE.
    """
    parts = path.split("/")
    if parts[0] == "runs" and len(parts) > 3:
        parts = ["samples", parts[1], *parts[3:]]
    elif len(parts) > 2:
        parts = [parts[0], *parts[2:]]
    safe = local_names.safe_path("/".join(parts))
    return None if safe is None else PurePosixPath(SAVES, local_names.safe(voice)) / safe


def read_run(link: Link, layout: Layout, run: str) -> RunState:
    """What the events of a run came to; empty when there are none."""
    result = link.run(["cat", "--", str(layout.run(run).events)], timeout=120.0)
    lines = (events.parse(line) for line in result.out.split(b"\n"))
    return fold(RunState(), [event for event in lines if event is not None])


def _runs(link: Link, layout: Layout) -> list[tuple[str, str]]:
    """(run, voice) of every run that has a spec, by run."""
    result = link.run(["sh", "-c", _SPECS, "sovdeck", str(layout.work)])
    found = []
    for text in result.out.decode("utf-8", "replace").split("\0"):
        try:
            spec = json.loads(text)
        except ValueError:
            continue
        if isinstance(spec, dict) and isinstance(spec.get("run"), str):
            found.append((spec["run"], str(spec.get("voice"))))
    return sorted(found)
