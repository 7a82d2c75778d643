"""Where things lie on the server, under one work folder. Pure path arithmetic, no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from engine.contract.problem import ExitCode, Problem

# Also used as a file name on Windows, inside a zip and in upstream's own file names, so: no
# separators, no control characters, no characters Windows refuses, no leading dot or dash.
_NAME = re.compile(r"[^\W_][\w .()+-]{0,63}\Z")
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10)}


def check_name(name: str) -> str:
    """Return `name` when it may name a voice on every system; raise Problem otherwise."""
    bare = name.split(".", 1)[0].strip().lower()
    if not _NAME.match(name) or name != name.rstrip(" .") or bare in _RESERVED:
        raise Problem("engine.layout.bad_name", ExitCode.CONFIG, name=name)
    return name


@dataclass(frozen=True)
class Layout:
    """The server's folders and files; every path is absolute when `work` is."""

    work: PurePosixPath

    @classmethod
    def at(cls, work: str) -> Layout:
        return cls(PurePosixPath(work))

    @property
    def identity(self) -> PurePosixPath:
        """The server's own id: tells a moved server or a re-used address apart."""
        return self.work / "server-id"

    @property
    def environment(self) -> PurePosixPath:
        return self.work / "env"

    @property
    def pretrained(self) -> PurePosixPath:
        return self.work / "pretrained"

    def code(self, digest: str) -> PurePosixPath:
        return self.work / "code" / digest

    def dataset(self, voice: str) -> PurePosixPath:
        """What the laptop pushed: NAME.list and wavs/."""
        return self.work / "data" / check_name(voice)

    def features(self, voice: str) -> PurePosixPath:
        """Prepared features and resume states, laid out as upstream's logs/NAME."""
        return self.work / "logs" / check_name(voice)

    def gpt_weights(self, voice: str) -> PurePosixPath:
        return self.work / "GPT_weights" / check_name(voice)

    def sovits_weights(self, voice: str) -> PurePosixPath:
        return self.work / "SoVITS_weights" / check_name(voice)

    def pack(self, voice: str) -> PurePosixPath:
        return self.work / "packs" / f"{check_name(voice)}.zip"

    def run(self, run: str) -> RunFolder:
        return RunFolder(self.work / "runs" / run)


@dataclass(frozen=True)
class RunFolder:
    """One run's folder; the supervisor owns beat, pid and exit, the engine the rest."""

    path: PurePosixPath

    @property
    def spec(self) -> PurePosixPath:
        return self.path / "spec.json"

    @property
    def events(self) -> PurePosixPath:
        return self.path / "events.jsonl"

    @property
    def log(self) -> PurePosixPath:
        return self.path / "log.txt"

    @property
    def beat(self) -> PurePosixPath:
        return self.path / "beat"

    @property
    def pid(self) -> PurePosixPath:
        return self.path / "pid.json"

    @property
    def exit(self) -> PurePosixPath:
        return self.path / "exit.json"


def gpt_file(voice: str, epoch: int) -> str:
    """Upstream's name of a small GPT weight (compat SPEC 1.5)."""
    return f"{voice}-e{epoch}.ckpt"


def sovits_file(voice: str, epoch: int, step: int) -> str:
    """Upstream's name of a small SoVITS weight (compat SPEC 1.1)."""
    return f"{voice}_e{epoch}_s{step}.pth"
