"""The files training starts from: what they are called here and at the sources that have them.

One folder holds the sets of all versions, since they share the encoders of speech and text; a
preset needs only some of its files.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from sovdeck.engine.contract.atomic_io import atomic_replacement
from sovdeck.engine.contract.layout import VERSIONS, Layout
from sovdeck.engine.contract.spec import RunSpec

MANIFEST_FILE = "manifest.json"

HUBS = ("https://huggingface.co", "https://hf-mirror.com")  # in the order they are tried
_FOLDER_OF_HUB = "lj1995/GPT-SoVITS/resolve/main"
# Whole archives of the same files, which GPT-SoVITS's own installer takes: tried where no hub has
# a file, since they hold every version's at once.
_ARCHIVE = "XXXXRT/GPT-SoVITS-Pretrained/resolve"
ARCHIVE_URLS = (
    f"https://www.modelscope.cn/models/{_ARCHIVE}/master/pretrained_models.zip",
    f"https://hf-mirror.com/{_ARCHIVE}/main/pretrained_models.zip",
)
_UPSTREAM_FOLDER = "gsv-v2final-pretrained"
PRO = VERSIONS[1:]


@dataclass(frozen=True)
class PretrainedFile:
    """One file of the set. `name` is its path in our folder, `upstream` its path at a source.

    `content_kind` says what must be in it: "generator", "discriminator", "gpt", "speaker",
    "json" or "encoder". `versions` are the presets that need it; `megabytes` is about its size.
    """

    name: str
    upstream: str
    content_kind: str
    megabytes: int
    versions: tuple[str, ...] = VERSIONS

    @property
    def unmistakable(self) -> bool:
        """Whether its bare name says what it is; a lone config.json could be any model's."""
        return self.content_kind not in ("json", "encoder")


def _encoder_files(folder: str, extra_json: str, megabytes: int) -> tuple[PretrainedFile, ...]:
    """A transformers model: configuration, one more description, weights."""
    content_kinds = {"config.json": "json", extra_json: "json", "pytorch_model.bin": "encoder"}
    return tuple(
        PretrainedFile(
            f"{folder}/{file}",
            f"{folder}/{file}",
            content_kind,
            megabytes if content_kind == "encoder" else 0,  # kilobytes
        )
        for file, content_kind in content_kinds.items()
    )


def _pro(letter: str, version: str, content_kind: str, megabytes: int) -> PretrainedFile:
    name = f"v2Pro/s2{letter}{version}.pth"
    return PretrainedFile(name, name, content_kind, megabytes, (version,))


_GPT_FILE = "s1bert25hz-5kh-longer-epoch=12-step=369668.ckpt"
_SPEAKER = "sv/pretrained_eres2netv2w24s4ep4.ckpt"
PRETRAINED_FILES = (
    PretrainedFile("s2G2333k.pth", f"{_UPSTREAM_FOLDER}/s2G2333k.pth", "generator", 106, ("v2",)),
    PretrainedFile(
        "s2D2333k.pth", f"{_UPSTREAM_FOLDER}/s2D2333k.pth", "discriminator", 94, ("v2",)
    ),
    PretrainedFile(_GPT_FILE, f"{_UPSTREAM_FOLDER}/{_GPT_FILE}", "gpt", 155, ("v2",)),
    _pro("G", "v2Pro", "generator", 162),
    _pro("D", "v2Pro", "discriminator", 126),
    _pro("G", "v2ProPlus", "generator", 200),
    _pro("D", "v2ProPlus", "discriminator", 126),
    PretrainedFile("s1v3.ckpt", "s1v3.ckpt", "gpt", 155, PRO),
    PretrainedFile(_SPEAKER, _SPEAKER, "speaker", 107, PRO),
    *_encoder_files("chinese-hubert-base", "preprocessor_config.json", 189),
    *_encoder_files("chinese-roberta-wwm-ext-large", "tokenizer.json", 651),
)
# Starting weights of one's own, as far as v2 allows: any file so named serves.
_V2_PATTERNS = {"generator": "s2G*.pth", "discriminator": "s2D*.pth", "gpt": "s1*.ckpt"}
_PRO_NAMES = frozenset(
    Path(file.name).name for file in PRETRAINED_FILES if "v2" not in file.versions
)


def hubs() -> tuple[str, ...]:
    """The public hubs in the order to try; HF_ENDPOINT names one to try first."""
    own = os.environ.get("HF_ENDPOINT", "").strip()
    named = (own, *HUBS) if own.startswith(("http://", "https://")) else HUBS
    return tuple(dict.fromkeys(hub.rstrip("/") for hub in named))


def hub_urls() -> tuple[str, ...]:
    """The folders of the public hubs that hold the set, in the order to try."""
    return tuple(f"{hub}/{_FOLDER_OF_HUB}" for hub in hubs())


def files_for(version: str) -> tuple[PretrainedFile, ...]:
    """What a preset ("v2", "v2Pro", "v2ProPlus") needs. ValueError for another one."""
    if version not in VERSIONS:
        raise ValueError(f"no pretrained files belong to {version!r}")
    return tuple(file for file in PRETRAINED_FILES if version in file.versions)


def megabytes(version: str) -> int:
    """About what the files of a preset take."""
    return sum(file.megabytes for file in files_for(version))


def starting_file(folder: Path, version: str, content_kind: str) -> Path | None:
    """The file of `folder` whose weights a preset starts from; None where it is not there.

    `content_kind` is "generator", "discriminator", "gpt" or "speaker".
    """
    wanted = [file for file in files_for(version) if file.content_kind == content_kind]
    found = [path for file in wanted if (path := find_pretrained_file(folder, file)) is not None]
    if not found and version == "v2" and content_kind in _V2_PATTERNS:
        found = list(_own_v2(folder, content_kind))
    return found[0] if found else None


def missing_files(folder: Path, version: str) -> list[str]:
    """Names of what a preset's starting weights lack in `folder`; the encoders are not asked."""
    content_kinds = ["generator", "discriminator", "gpt"] + ["speaker"] * (version in PRO)
    lacking = [one for one in content_kinds if starting_file(folder, version, one) is None]
    return [file.name for file in files_for(version) if file.content_kind in lacking]


def lacking_files(names: Collection[str], version: str) -> list[PretrainedFile]:
    """What a preset lacks where only the paths of a set's files are known; encoders included."""
    lacking = []
    for file in files_for(version):
        pattern = _V2_PATTERNS.get(file.content_kind, "") if version == "v2" else ""
        own = pattern and any(fnmatchcase(name, pattern) for name in set(names) - _PRO_NAMES)
        if not own and not any(path in names for path in _candidate_paths(file)):
            lacking.append(file)
    return lacking


def _candidate_paths(file: PretrainedFile) -> tuple[str, ...]:
    """Where a file may lie in a folder laid out as ours, as upstream's or as its repository."""
    paths = (file.name, file.upstream, Path(file.name).name)
    return paths if file.unmistakable else paths[:2]


def _own_v2(folder: Path, content_kind: str) -> Iterator[Path]:
    """Files named like v2's, leaving out those that a v2Pro preset starts from."""
    for path in sorted(folder.glob(_V2_PATTERNS[content_kind])):
        if path.name not in _PRO_NAMES:
            yield path


def find_pretrained_file(folder: Path, file: PretrainedFile) -> Path | None:
    """Path of `file` in a folder laid out as ours, as upstream's or as the file's repository."""
    paths = (folder / path for path in _candidate_paths(file))
    return next((path for path in paths if path.is_file()), None)


def unpack_set(archive: Path, target: Path) -> None:
    """Take the files of the set out of a zip, whatever folder they are in; nothing else.

    BadZipFile for a zip that is damaged or uses what zipfile cannot read.
    """
    try:
        with zipfile.ZipFile(archive) as zipped:
            for file in PRETRAINED_FILES:
                for entry in zipped.namelist():
                    if f"/{entry}".endswith((f"/{file.upstream}", f"/{file.name}")):
                        out = target / file.name
                        out.parent.mkdir(parents=True, exist_ok=True)
                        with (
                            zipped.open(entry) as reader,
                            atomic_replacement(out) as beside,
                            beside.open("wb") as writer,
                        ):
                            shutil.copyfileobj(reader, writer)
                        break
    except (EOFError, NotImplementedError, RuntimeError) as error:
        raise zipfile.BadZipFile(str(error)) from error


def resolve_preset(spec: RunSpec, layout: Layout) -> RunSpec:
    """The spec with "auto" decided: v2Pro, or v2 where only v2's starting weights are there."""
    if spec.preset != "auto":
        return spec
    if spec.pretrained is None:
        return replace(spec, preset="v2")
    folder = Path(layout.pretrained) / spec.pretrained
    only_v2 = missing_files(folder, "v2Pro") and not missing_files(folder, "v2")
    return replace(spec, preset="v2" if only_v2 else "v2Pro")
