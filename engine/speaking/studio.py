"""What the work folder holds of one voice, and how it becomes a speaker."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine.chosen_pair import preferred
from engine.contract.dataset.items import read_items
from engine.contract.layout import Layout
from engine.contract.problem import ExitCode, Problem
from engine.contract.spec import RunSpec
from engine.interop.exported import note_path
from engine.models.frozen.content import ContentEncoder
from engine.models.frozen.text_encoder import TextEncoder
from engine.models.gpt.quantised import lower
from engine.models.sovits.packed import pack as pack_decoder
from engine.pack import newest_weight, weight_files
from engine.prepare.sources import RECOGNISER_FOLDER
from engine.runtime import huge_pages
from engine.speaking.clips import Clip
from engine.speaking.marks import Recogniser
from engine.speaking.pipeline import Speaker
from engine.speaking.weights import load_gpt, load_sovits
from engine.text.aids import open_lexicon
from engine.text.lexicon import Lexicon
from engine.text.zh.polyphones import Polyphones
from engine.training.base import CONTENT_FOLDER, TEXT_FOLDER, export_base, is_made, open_base

_EPOCH = re.compile(r"[-_]e(\d+)")


@dataclass(frozen=True)
class Weight:
    """One weight file as a list shows it; `metrics` come from the sidecar, where there is one."""

    path: Path
    epoch: int | None
    bytes: int
    metrics: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.path.name, "epoch": self.epoch, "bytes": self.bytes,
            "metrics": self.metrics,
        }  # fmt: skip


class Studio:
    """One voice in one work folder. Lists are read anew each time, so new epochs appear."""

    def __init__(
        self, work: Path, voice: str, pretrained: str | None = None, words: Path | None = None
    ) -> None:
        self.polyphones: Polyphones | None = None
        self._words = words
        self.work = work.resolve()
        self.voice = voice
        self.layout = Layout.at(self.work.as_posix())
        self._pretrained = pretrained

    @property
    def takes(self) -> Path:
        return self.work / "takes" / self.voice

    def gpt_weights(self) -> list[Weight]:
        """By epoch, the newest last."""
        return [_weight(p) for p in weight_files(Path(self.layout.gpt_weights(self.voice)))]

    def sovits_weights(self) -> list[Weight]:
        folder = Path(self.layout.sovits_weights(self.voice))
        return [_weight(path) for path in weight_files(folder)]

    def gpt_path(self, name: str = "") -> Path:
        """The GPT weight called `name` (a listed name or a path), else the chosen or newest."""
        return self._chosen(Path(self.layout.gpt_weights(self.voice)), name)

    def sovits_path(self, name: str = "") -> Path:
        """The SoVITS weight called `name` (a listed name or a path), else the chosen or newest."""
        return self._chosen(Path(self.layout.sovits_weights(self.voice)), name)

    def reference(self) -> dict[str, Any]:
        """ref_audio, ref_text and ref_lang that preparing the voice chose; {} without any."""
        folder = Path(self.layout.features(self.voice)) / "reference"
        try:
            facts = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {
            "ref_audio": str(folder / str(facts["wav"])),
            "ref_text": str(facts["text"]),
            "ref_lang": str(facts["language"]),
        }

    def clips(self) -> list[Clip]:
        """The voice's recordings with their words, as its list names them; [] without a list."""
        folder = Path(self.layout.dataset(self.voice))
        source = folder / f"{self.voice}.list"
        if not source.is_file():
            return []
        wavs = folder / "wavs"
        items = read_items(source, wavs if wavs.is_dir() else None).items
        return [Clip(item.wav, item.text, item.language) for item in items if item.wav.is_file()]

    def base_pair(self, exports: Path) -> tuple[Path, Path] | None:
        """The GPT and SoVITS that training started from, where they are still there.

        Weights made from nothing are first exported below `exports`, as epoch 0.
        """
        if self._pretrained is None:
            made = open_base(RunSpec(run="speak", voice=self.voice), self.layout)
            if is_made(made):
                return export_base(made, exports, self.voice)
        root = Path(self.layout.pretrained)
        folders = [root / self._pretrained] if self._pretrained else sorted(root.glob("*"))
        for folder in folders:
            gpt, sovits = sorted(folder.glob("s1*.ckpt")), sorted(folder.glob("s2G*.pth"))
            if gpt and sovits:
                return gpt[0], sovits[0]
        return None

    def lexicon(self) -> Lexicon:
        """The voice's own words as they stand now, and the model for Chinese polyphones."""
        return open_lexicon(self.layout, self.voice, self.polyphones, self._words)

    def listener(self, given: Path | None, device: str) -> Recogniser | None:
        """The recogniser of `given`, else the one below pretrained/, else None."""
        folder = given or Path(self.layout.pretrained / RECOGNISER_FOLDER)
        if given is None and not folder.is_dir():
            return None
        from engine.cli import remark
        from engine.speaking.recognise import Listener

        listener = Listener(folder, device)
        remark(listener.notice)
        return listener

    def open(
        self, gpt: Path, sovits: Path, device: str = "cpu", precision: str = "fp32"
    ) -> Speaker:
        """Load a pair and the encoders it was trained with; int8 needs a CPU."""
        if precision == "int8" and device != "cpu":
            raise Problem("engine.speaking.int8_needs_cpu", ExitCode.CONFIG, device=device)
        content, text = self._encoders(device)
        decoder = load_sovits(sovits).to(device)
        low = precision != "fp32"
        packed = pack_decoder(decoder, torch.bfloat16 if low else torch.float32)
        speaker = Speaker(
            lower(load_gpt(gpt).to(device), precision),
            decoder,
            content.to(device),
            text,
            lexicon=self.lexicon(),
            low_precision=low and not packed,
        )
        if device == "cpu":
            huge_pages.settle()
        return speaker

    def _chosen(self, folder: Path, name: str) -> Path:
        if not name:
            features = Path(self.layout.features(self.voice))
            newest_weight(features, folder)  # says so where there is none
            return preferred(features, weight_files(folder))
        inside, given = folder / name, Path(name)
        return inside if inside.is_file() or not given.is_file() else given

    def _encoders(self, device: str) -> tuple[ContentEncoder, TextEncoder | None]:
        if self._pretrained is None:
            made = open_base(RunSpec(run="speak", voice=self.voice), self.layout)
            if is_made(made):
                return made.content(), None
        folder = self._pretrained_set()
        text = folder / TEXT_FOLDER
        return (
            ContentEncoder.load(folder / CONTENT_FOLDER, device=device),
            TextEncoder.load(text, device=device) if text.is_dir() else None,
        )

    def _pretrained_set(self) -> Path:
        root = Path(self.layout.pretrained)
        if self._pretrained is not None:
            return root / self._pretrained
        found = sorted(path.parent for path in root.glob(f"*/{CONTENT_FOLDER}"))
        if len(found) != 1:
            names = ", ".join(path.name for path in found) or "-"
            raise Problem(
                "engine.speaking.which_set", ExitCode.CONFIG, folder=str(root), found=names
            )
        return found[0]


def _weight(path: Path) -> Weight:
    epoch = _EPOCH.search(path.stem)
    sidecar = note_path(path)
    facts = json.loads(sidecar.read_text(encoding="utf-8")) if sidecar.is_file() else {}
    metrics = facts.get("metrics") or {}
    return Weight(path, int(epoch[1]) if epoch else None, path.stat().st_size, dict(metrics))
