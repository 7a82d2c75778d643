"""Models that make more of a voice but that no training needs: what they are, and fetching them.

The server fetches them for itself; the laptop does for a server without a way out.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sovdeck.engine.contract.atomic_io import atomic_replacement, is_disk_full
from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.http_download import (
    DownloadError,
    SourceUnreachableError,
    download_file,
    redact_url,
)
from sovdeck.engine.contract.pretrained_set import hubs
from sovdeck.engine.contract.problem import ExitCode, Problem

_MODELSCOPE = "https://www.modelscope.cn/models"
_MAX_UNPACKED_BYTES = 4 << 30  # of an archive; the model in it has some 650 MB

# File, bytes so far, bytes in all when known.
ReportFile = Callable[[str, int, "int | None"], None]


@dataclass(frozen=True)
class OptionalModel:
    """A model by the name that `--with` takes. `folder` lies below `pretrained/`.

    `files` are needed, and come one by one from `hub_path` of a hub or from `modelscope`; with an
    `archive` all of them lie in one zip of these places. `megabytes` is about what is fetched.
    """

    name: str
    folder: str
    files: tuple[str, ...]
    hub_path: str
    modelscope: str
    megabytes: int
    archive: str = ""

    def is_complete(self, pretrained: Path) -> bool:
        """Whether every file is there."""
        return all((pretrained / self.folder / file).is_file() for file in self.files)

    def sources(self) -> tuple[str, ...]:
        """Where it is published, in the order to try."""
        return (*(f"{hub}/{self.hub_path}" for hub in hubs()), f"{_MODELSCOPE}/{self.modelscope}")


WHISPER = OptionalModel(
    "whisper",
    "faster-whisper",
    ("config.json", "preprocessor_config.json", "tokenizer.json", "vocabulary.json", "model.bin"),
    "mobiuslabsgmbh/faster-whisper-large-v3-turbo/resolve/main",
    "XXXXRT/faster-whisper/resolve/master/faster-whisper-large-v3-turbo",
    1624,
)
G2PW = OptionalModel(
    "g2pw",
    "G2PWModel",
    (
        "g2pW.onnx",
        "config.py",
        "POLYPHONIC_CHARS.txt",
        "MONOPHONIC_CHARS.txt",
        "bopomofo_to_pinyin_wo_tune_dict.json",
    ),
    "XXXXRT/GPT-SoVITS-Pretrained/resolve/main",
    "XXXXRT/GPT-SoVITS-Pretrained/resolve/master",
    589,
    archive="G2PWModel.zip",
)
OPTIONAL_MODELS = {model.name: model for model in (WHISPER, G2PW)}


def parse_models(names: str) -> tuple[OptionalModel, ...]:
    """The models that `whisper,g2pw` names; Problem for an unknown one."""
    found = []
    for name in filter(None, (part.strip().lower() for part in names.split(","))):
        if name not in OPTIONAL_MODELS:
            known = ", ".join(OPTIONAL_MODELS)
            raise Problem("engine.optional.unknown", ExitCode.CONFIG, name=name, known=known)
        found.append(OPTIONAL_MODELS[name])
    return tuple(dict.fromkeys(found))


def fetch_model(
    model: OptionalModel, pretrained: Path, sources: Sequence[str], report: ReportFile
) -> None:
    """Fetch what `pretrained`/FOLDER lacks, from `sources` first, then from the public places.

    A source is a base address or a local folder that holds `FOLDER/FILE`, or the archive. Problem
    when no source has it, or the disk is full; what came stays, and the next call goes on from it.
    """
    why: dict[str, str | Text] = {}
    own = [f"{source.rstrip('/')}/{model.folder}" for source in sources if not model.archive]
    own += [source.rstrip("/") for source in sources if model.archive]
    for source in (*own, *model.sources()):
        if model.is_complete(pretrained):
            return
        try:
            if model.archive:
                _fetch_archive(model, pretrained, source, report)
            else:
                _fetch_files(model, pretrained, source, report)
        except DownloadError as error:
            why[_shown(source)] = error.why
        except OSError as error:
            if is_disk_full(error):
                folder = str(pretrained / model.folder)
                raise Problem(
                    "engine.pretrained.no_space", ExitCode.DATA, name=model.name, folder=folder
                ) from error
            why[_shown(source)] = error.strerror or str(error)
    if not model.is_complete(pretrained):
        source, reason = next(iter(why.items()))
        raise Problem(
            "engine.optional.no_source",
            ExitCode.UNREACHABLE,
            name=model.name,
            source=source,
            why=reason,
            folder=str(pretrained / model.folder),
        )


def _fetch_files(model: OptionalModel, pretrained: Path, source: str, report: ReportFile) -> None:
    for file in model.files:
        target = pretrained / model.folder / file
        if target.is_file():
            continue
        _get(f"{source}/{file}", target, f"{model.folder}/{file}", report)


def _fetch_archive(model: OptionalModel, pretrained: Path, source: str, report: ReportFile) -> None:
    archive = pretrained / model.archive
    _get(f"{source}/{model.archive}", archive, model.archive, report)
    try:
        _unpack(model, pretrained, archive)
    finally:
        archive.unlink(missing_ok=True)


def _get(source: str, target: Path, label: str, report: ReportFile) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.startswith(("http://", "https://")):
        download_file(source, target, lambda have, total: report(label, have, total))
        return
    found = Path(source).expanduser()
    if not found.is_file():
        raise SourceUnreachableError("it is not in this folder")
    with atomic_replacement(target) as beside:
        shutil.copyfile(found, beside)


def _unpack(model: OptionalModel, pretrained: Path, archive: Path) -> None:
    """Take the model's files out of a zip, whatever folder they are in; nothing else."""
    wanted = {file.lower(): file for file in model.files}
    try:
        with zipfile.ZipFile(archive) as zipped:
            for entry in zipped.infolist():
                file = wanted.get(entry.filename.rsplit("/", 1)[-1].lower())
                if file is None or entry.is_dir() or "__MACOSX" in entry.filename:
                    continue
                if entry.file_size > _MAX_UNPACKED_BYTES:
                    raise DownloadError(f"{file} in it is larger than it can be")
                target = pretrained / model.folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                with (
                    zipped.open(entry) as reader,
                    atomic_replacement(target) as beside,
                    beside.open("wb") as writer,
                ):
                    shutil.copyfileobj(reader, writer)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise DownloadError(f"{archive.name} is no whole zip file: {error}") from error
    if not model.is_complete(pretrained):
        raise DownloadError(f"{archive.name} lacks some of its files")


def _shown(source: str) -> str:
    return redact_url(source) if source.startswith(("http://", "https://")) else source
