"""Writes a downloaded voice as community programs keep one; see `sovdeck pull --community`.

Two weights lie beside `reference_audios/LANGUAGE/emotions/【mood】words.wav`: such a program reads
the mood and the words of a clip from its file's name.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sovdeck.engine.contract.foreign_values import read_optional_facts, to_text
from sovdeck.engine.contract.layout import WEIGHT_FOLDERS
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote import filenames
from sovdeck.remote.transfer.download.part_file import disk_errors

COMMUNITY = "community"  # beside what is unpacked, where no other folder is named
_OWN_CLIP = "默认"  # what these programs call the mood they begin with
_LANGUAGES = {"zh": "中文", "ja": "日语", "en": "英语", "ko": "韩语", "yue": "粤语"}
# Full-width forms are read as the marks they stand for; file names refuse the others.
_WIDE = str.maketrans({sign: chr(ord(sign) + 0xFEE0) for sign in '<>:"/\\|?*'})


@dataclass(frozen=True)
class CommunityFolder:
    """What was written below `folder`; `left_out` are moods whose words no file name can hold."""

    folder: Path
    files: tuple[Path, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Clip:
    mood: str
    wav: Path
    words: str
    language: str

    @property
    def target(self) -> Path | None:
        """The path below the new folder; None where the name would not hold all the words."""
        words = " ".join(self.words.translate(_WIDE).split())
        name = f"【{self.mood}】{words}.wav"
        if not words or len(name.encode()) > filenames.MAX_NAME_BYTES:
            return None
        language = _LANGUAGES.get(self.language.removeprefix("all_"), _LANGUAGES["zh"])
        return Path("reference_audios", language, "emotions", filenames.safe_name(name))


def write_community_folder(voice_folder: Path, folder: Path) -> CommunityFolder:
    """Copy the weights and clips of the voice unpacked in `voice_folder` into `folder`.

    Each file appears whole or not at all; a clip of the same mood with other words goes. Problem
    when there are no weights.
    """
    weights = [path for path in sorted(voice_folder.glob("*/*/*")) if _is_weight(path)]
    if not weights:
        raise Problem("remote.upstream.no_weights", ExitCode.DATA, folder=str(voice_folder))
    written, left_out = [], []
    with disk_errors(folder):
        for path in weights:
            written.append(_copy(path, folder / path.name))
        for clip in _clips(voice_folder):
            if clip.target is None:
                left_out.append(clip.mood)
                continue
            target = folder / clip.target
            for old in folder.glob(f"reference_audios/*/emotions/【{clip.mood}】*.wav"):
                if old != target:
                    old.unlink()
            written.append(_copy(clip.wav, target))
    return CommunityFolder(folder, tuple(written), tuple(left_out))


def _is_weight(path: Path) -> bool:
    stage, _ = WEIGHT_FOLDERS.get(path.parent.parent.name, ("", ""))
    return path.suffix == {"gpt": ".ckpt", "sovits": ".pth"}.get(stage) and path.is_file()


def _clips(voice_folder: Path) -> Iterator[_Clip]:
    """The voice's own clip, then those that were named."""
    own = voice_folder / "reference"
    facts = read_optional_facts(own / "reference.json")
    wav = own / filenames.safe_name(to_text(facts.get("wav")) or "reference.wav")
    if wav.is_file():
        yield _Clip(_OWN_CLIP, wav, to_text(facts.get("text")), to_text(facts.get("language")))
    for path in sorted((voice_folder / "references").glob("*.wav")):
        facts = read_optional_facts(path.with_suffix(".json"))
        yield _Clip(path.stem, path, to_text(facts.get("text")), to_text(facts.get("language")))


def _copy(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(".part")
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)  # gone already when all went well
    return target
