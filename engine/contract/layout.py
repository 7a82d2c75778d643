"""Paths on the server, under one work folder. Pure path arithmetic, no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath

from sovdeck.engine.contract.problem import ExitCode, Problem

# Also used as a file name on Windows, inside a zip and in upstream's own file names, so: no
# separators, no control characters, no characters Windows refuses, no leading dot or dash.
_VOICE_NAME = re.compile(r"[^\W_][\w .()+-]{0,63}\Z")
_WINDOWS_RESERVED = {"con", "prn", "aux", "nul"} | {
    f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10)
}

VERSIONS = ("v2", "v2Pro", "v2ProPlus")


def is_voice_name(name: str) -> bool:
    """Whether `name` is a valid voice name on every system."""
    bare = name.split(".", 1)[0].strip().lower()
    valid = _VOICE_NAME.match(name) is not None and name == name.rstrip(" .")
    return valid and bare not in _WINDOWS_RESERVED


def check_voice_name(name: str) -> str:
    """Return `name` when it is a valid voice name on every system; raise Problem otherwise."""
    if not is_voice_name(name):
        raise Problem("engine.layout.bad_name", ExitCode.CONFIG, name=name)
    return name


@dataclass(frozen=True)
class Layout:
    """The server's folders and files; every path is absolute when `work` is."""

    work: PurePosixPath

    @classmethod
    def at(cls, work: str) -> Layout:
        """The layout under the work folder `work`."""
        return cls(PurePosixPath(work))

    @property
    def server_id(self) -> PurePosixPath:
        """File with the server's own id, which reveals a moved server or a re-used address."""
        return self.work / "server-id"

    @property
    def environment(self) -> PurePosixPath:
        """Folder of the Python environment."""
        return self.work / "env"

    @property
    def pretrained(self) -> PurePosixPath:
        """Folder that holds one subfolder for each pretrained set."""
        return self.work / "pretrained"

    @property
    def bench_rows(self) -> PurePosixPath:
        """What `bench` found here, one JSON row a line."""
        return self.work / "bench.jsonl"

    def code(self, digest: str) -> PurePosixPath:
        """Folder of the deployed code with this digest."""
        return self.work / "code" / digest

    def dataset(self, voice: str) -> PurePosixPath:
        """Folder of the uploaded dataset: NAME.list and wavs/."""
        return self.work / "data" / check_voice_name(voice)

    def features(self, voice: str) -> PurePosixPath:
        """Folder of prepared features and resume states, laid out as upstream's logs/NAME."""
        return self.work / "logs" / check_voice_name(voice)

    def states(self, voice: str, version: str) -> PurePosixPath:
        """Folder of the voice's resume states of one GPT-SoVITS version, a subfolder a stage."""
        return self.features(voice) / versioned("states", version)

    def scratch_weights(self, voice: str, version: str) -> PurePosixPath:
        """Folder of the weights from scratch that the voice began with in one version."""
        return self.features(voice) / versioned("base", version)

    def gpt_weights(self, voice: str, version: str) -> PurePosixPath:
        """Folder of the voice's exported GPT weights of one version."""
        return self.work / versioned("GPT_weights", version) / check_voice_name(voice)

    def sovits_weights(self, voice: str, version: str) -> PurePosixPath:
        """Folder of the voice's exported SoVITS weights of one version."""
        return self.work / versioned("SoVITS_weights", version) / check_voice_name(voice)

    def references(self, voice: str) -> PurePosixPath:
        """Folder of the clips that were added as references: NAME.wav with NAME.json."""
        return self.work / "references" / check_voice_name(voice)

    def pack(self, voice: str) -> PurePosixPath:
        """The voice's zip file."""
        return self.work / "packs" / f"{check_voice_name(voice)}.zip"

    def run(self, run: str) -> RunFolder:
        """The folder of the run with this id."""
        return RunFolder(self.work / "runs" / run)


@dataclass(frozen=True)
class RunFolder:
    """One run's folder; the supervisor writes beat, pid and exit, the engine the rest."""

    path: PurePosixPath

    @property
    def spec(self) -> PurePosixPath:
        """What the run was asked to do; written once."""
        return self.path / "spec.json"

    @property
    def events(self) -> PurePosixPath:
        """The event stream, one JSON object a line."""
        return self.path / "events.jsonl"

    @property
    def summary(self) -> PurePosixPath:
        """What the events come to; see `sovdeck.engine.contract.run_summary`."""
        return self.path / "summary.json"

    @property
    def log(self) -> PurePosixPath:
        """Output of the engine process."""
        return self.path / "log.txt"

    @property
    def beat(self) -> PurePosixPath:
        """Heartbeat: a file whose time the supervisor renews."""
        return self.path / "beat"

    @property
    def pid(self) -> PurePosixPath:
        """Process id, its start time and the boot id."""
        return self.path / "pid.json"

    @property
    def exit(self) -> PurePosixPath:
        """Exit code; written by rename when the process has ended."""
        return self.path / "exit.json"


def gpt_weight_filename(voice: str, epoch: int) -> str:
    """Upstream's name of a small GPT weight (compat SPEC 1.5)."""
    return f"{voice}-e{epoch}.ckpt"


def sovits_weight_filename(voice: str, epoch: int, step: int) -> str:
    """Upstream's name of a small SoVITS weight (compat SPEC 1.1)."""
    return f"{voice}_e{epoch}_s{step}.pth"


# At the end of a file name only: a voice may itself be called Anna-e5.
_WEIGHT_END = re.compile(r"(?:-e|_e)(\d{1,9})(?:_s(\d{1,12}))?\.(?:ckpt|pth)\Z")


def weight_epoch(name: str) -> tuple[int, int | None] | None:
    """Epoch and step (None for GPT weights) in a weight's file name or path; None in others."""
    found = _WEIGHT_END.search(name)
    if found is None:
        return None
    return int(found[1]), int(found[2]) if found[2] else None


def versioned(folder: str, version: str) -> str:
    """The name of a folder for one version, as upstream names it: GPT_weights_v2Pro.

    v2's folders have no suffix. ValueError for a version that is not in VERSIONS.
    """
    if version not in VERSIONS:
        raise ValueError(f"no folder belongs to {version!r}")
    return folder if version == VERSIONS[0] else f"{folder}_{version}"


# What a weight folder holds, by its name: "gpt" or "sovits", and the version.
WEIGHT_FOLDERS = {
    versioned(folder, version): (stage, version)
    for folder, stage in (("GPT_weights", "gpt"), ("SoVITS_weights", "sovits"))
    for version in VERSIONS
}


def weight_name(path: PurePath) -> str:
    """What lists call a weight file: its name, with the version before it unless that is v2.

    `path` ends in FOLDER/VOICE/FILE, as SoVITS_weights_v2Pro/Mei/Mei_e8_s64.pth, which is called
    v2Pro/Mei_e8_s64.pth: a voice may have weights of one epoch in several versions. A file that
    lies elsewhere is called by its name.
    """
    folder = path.parent.parent.name
    _, version = WEIGHT_FOLDERS.get(folder, ("", VERSIONS[0]))
    return path.name if version == VERSIONS[0] else f"{version}/{path.name}"
