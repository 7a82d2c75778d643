"""Lists a voice's files on a server, and tells where their copies lie here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.layout import WEIGHT_FOLDERS, Layout, check_voice_name, is_voice_name
from sovdeck.remote import filenames
from sovdeck.remote.ssh.client import SSHConnection
from sovdeck.remote.transfer.agent import remote_files
from sovdeck.remote.transfer.core.part_journal import RemoteFile
from sovdeck.remote.voices.sync_policy import Checkpoint

# No voice is called that: names begin with a letter or a digit.
CHECKPOINTS_FOLDER = "_saves"
# Prints every run's spec.json, each begun by a record separator, which JSON never holds as it is.
_SPECS = r"""
cd -- "$1/runs" 2>/dev/null || exit 0
printf '%s\n' */ | awk '{
    file = $0 "spec.json"; mark = "\036"
    while ((getline line <file) > 0) { print mark line; mark = "" }
    close(file)
}'
"""


@dataclass(frozen=True)
class VoiceFiles:
    """The files of one voice on a server, oldest first; `runs` are the ids of its runs, sorted."""

    voice: str
    runs: tuple[str, ...]
    files: tuple[RemoteFile, ...]

    @property
    def pack(self) -> RemoteFile | None:
        """The voice's zip; None when it was not packed yet."""
        return next((one for one in self.files if one.path == f"packs/{self.voice}.zip"), None)


def list_voice_files(connection: SSHConnection, layout: Layout, voice: str) -> VoiceFiles:
    """A voice's weights, its pack and the samples of its runs, in two round trips."""
    check_voice_name(voice)
    runs = tuple(run for run, name in list_run_voices(connection, layout) if name == voice)
    parts = [*(f"{folder}/{voice}" for folder in WEIGHT_FOLDERS), f"packs/{voice}.zip"]
    parts += [f"runs/{run}/samples" for run in runs]
    found = remote_files.list_files(connection, str(layout.work), parts)
    finished = [one for one in found if not one.path.rpartition("/")[2].startswith(".")]
    order = sorted(finished, key=lambda one: (one.mtime, one.path))
    return VoiceFiles(voice, runs, tuple(order))


def list_voices(connection: SSHConnection, layout: Layout) -> tuple[str, ...]:
    """Every voice that has a weight or a pack on the server.

    A name that no voice of ours can have is left out.
    """
    parts = (*WEIGHT_FOLDERS, "packs")
    found = {
        voice_of(one.path) for one in remote_files.list_files(connection, str(layout.work), parts)
    }
    return tuple(sorted(voice for voice in found if is_voice_name(voice)))


def list_datasets(connection: SSHConnection, layout: Layout) -> tuple[str, ...]:
    """Every voice whose recordings and list lie on the server."""
    folder = str(layout.work / "data")
    found = connection.run(["find", folder, "-mindepth", "2", "-maxdepth", "2", "-name", "*.list"])
    paths = (PurePosixPath(line) for line in found.out.decode("utf-8", "replace").split("\n"))
    names = {path.parent.name for path in paths if path.stem == path.parent.name}
    return tuple(sorted(name for name in names if is_voice_name(name)))


def newest_run(
    connection: SSHConnection, layout: Layout, voice: str = ""
) -> tuple[str, str] | None:
    """(run, voice) of the newest run, of `voice` when that is named; None without one."""
    found = [pair for pair in list_run_voices(connection, layout) if voice in ("", pair[1])]
    return found[-1] if found else None


def voice_of(path: str) -> str:
    """The voice a weight or a pack belongs to; empty for anything else."""
    parts = path.split("/")
    if len(parts) == 3 and parts[0] in WEIGHT_FOLDERS:
        return parts[1]
    packed = len(parts) == 2 and parts[0] == "packs" and path.endswith(".zip")
    return parts[1].removesuffix(".zip") if packed and not parts[1].startswith(".") else ""


def version_of(size: int, mtime: int) -> str:
    """A file version made of its size in bytes and its mtime in Unix seconds."""
    return f"{size}-{mtime}"


def as_checkpoint(file: RemoteFile, scores: dict[str, float]) -> Checkpoint:
    """A file as the sync policy sees it: weights and packs have a kind, all else has none."""
    path = file.path
    folder, suffix = path.split("/")[0], PurePosixPath(path).suffix
    stage, _ = WEIGHT_FOLDERS.get(folder, ("", ""))
    kind = stage if suffix == {"gpt": ".ckpt", "sovits": ".pth"}.get(stage) else ""
    if folder == "packs":
        kind = "pack"
    return Checkpoint(path, version_of(file.size, file.mtime), kind, scores.get(path))


def local_path(voice: str, path: str) -> PurePosixPath | None:
    """Where a file of `voice` lies below our folder of voices; None if its name is not safe.

    GPT_weights/NAME/FILE -> _saves/NAME/GPT_weights/FILE, runs/RUN/samples/FILE ->
    _saves/NAME/samples/RUN/FILE.
    """
    parts = path.split("/")
    if parts[0] == "runs" and len(parts) > 3:
        parts = ["samples", parts[1], *parts[3:]]
    elif len(parts) > 2:
        parts = [parts[0], *parts[2:]]
    safe = filenames.safe_relative_path("/".join(parts))
    if safe is None:
        return None
    return PurePosixPath(CHECKPOINTS_FOLDER, filenames.safe_name(voice)) / safe


def list_run_voices(connection: SSHConnection, layout: Layout) -> list[tuple[str, str]]:
    """(run, voice) of every run that has a spec, by run."""
    result = connection.run(["sh", "-c", _SPECS, "sovdeck", str(layout.work)])
    found = []
    for text in result.out.decode("utf-8", "replace").split("\x1e"):
        try:
            spec = parse_json(text)
        except ValueError:
            continue
        if isinstance(spec, dict) and isinstance(spec.get("run"), str):
            found.append((spec["run"], str(spec.get("voice"))))
    return sorted(found)
