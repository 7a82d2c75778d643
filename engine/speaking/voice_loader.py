"""Finds the files of one voice in a work folder and loads them into a `SpeechPipeline`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.dataset.items import read_dataset_list
from sovdeck.engine.contract.foreign_values import (
    read_facts,
    read_optional_facts,
    text_facts,
    to_text,
)
from sovdeck.engine.contract.layout import (
    VERSIONS,
    WEIGHT_FOLDERS,
    Layout,
    is_voice_name,
    weight_epoch,
    weight_name,
)
from sovdeck.engine.contract.pretrained_set import PRO, starting_file
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.interop.atomic_export import sidecar_path
from sovdeck.engine.prepare.frozen_encoders import (
    CONTENT_ENCODER_FOLDER,
    FrozenEncoders,
    content_digest,
    encoders_of_set,
)
from sovdeck.engine.prepare.sources import RECOGNISER_FOLDER
from sovdeck.engine.runtime import huge_pages
from sovdeck.engine.runtime.console import print_notice
from sovdeck.engine.runtime.selected_weights import (
    list_voice_weights,
    no_weights,
    select_weight,
)
from sovdeck.engine.speaking.asr import SpeechRecogniser
from sovdeck.engine.speaking.clip_ranking import TranscribedClip
from sovdeck.engine.speaking.metrics import Recogniser
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.training_record import recorded_identity, set_of_newest_run
from sovdeck.engine.speaking.weights import open_gpt, open_sovits
from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.open_lexicon import open_lexicon
from sovdeck.engine.text.zh.polyphones import PolyphoneModel
from sovdeck.engine.training.initial_weights import (
    InitialWeights,
    export_initial_weights,
    is_written,
    open_initial_weights,
    set_of_identity,
)


@dataclass(frozen=True)
class StoredWeight:
    """One weight file as a list shows it; `metrics` come from the sidecar, where there is one.

    `version` is the GPT-SoVITS version whose training made it.
    """

    path: Path
    version: str
    epoch: int | None
    bytes: int
    metrics: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Name, version, epoch, size and metrics."""
        return {
            "name": weight_name(self.path),
            "version": self.version,
            "epoch": self.epoch,
            "bytes": self.bytes,
            "metrics": self.metrics,
        }


class VoiceLoader:
    """One voice in one work folder. Lists are read anew each time, so new epochs appear."""

    def __init__(
        self,
        work: Path,
        voice: str,
        pretrained: str | None = None,
        words_file: Path | None = None,
        encoders: dict[tuple[Path, str, str], FrozenEncoders] | None = None,
    ) -> None:
        """`encoders`: those of another voice's loader, to share what both load."""
        self.polyphones: PolyphoneModel | None = None
        self.on_step: Callable[[str], None] = lambda _: None  # gets what is loaded next
        self._words_file = words_file
        self.work = work.resolve()
        self.voice = voice
        self.layout = Layout.at(self.work.as_posix())
        self._pretrained = pretrained
        self.encoders = {} if encoders is None else encoders

    @property
    def takes_folder(self) -> Path:
        """Where this voice's takes are saved."""
        return self.work / "takes" / self.voice

    def gpt_weights(self) -> list[StoredWeight]:
        """Of all versions, the one trained last at the end; in each by epoch, the newest last."""
        return [_weight_file(path) for path in self._weight_paths("gpt")]

    def sovits_weights(self) -> list[StoredWeight]:
        """Of all versions, the one trained last at the end; in each by epoch, the newest last."""
        return [_weight_file(path) for path in self._weight_paths("sovits")]

    def gpt_path(self, name: str = "") -> Path:
        """The GPT weight called `name` (a listed name or a path), else the chosen or newest."""
        return self._resolve_weight("gpt", name)

    def sovits_path(self, name: str = "") -> Path:
        """The SoVITS weight called `name` (a listed name or a path), else the chosen or newest."""
        return self._resolve_weight("sovits", name)

    def prepared_reference(self) -> dict[str, Any]:
        """ref_audio, ref_text and ref_lang that preparing the voice chose; {} without any."""
        folder = Path(self.layout.features(self.voice)) / "reference"
        path = folder / "reference.json"
        try:
            facts = read_facts(path)
        except FileNotFoundError:
            return {}
        wav, words, language = text_facts(path, facts, "wav", "text", "language")
        return {"ref_audio": str(folder / wav), "ref_text": words, "ref_lang": language}

    @property
    def references_folder(self) -> Path:
        """Where clips that were added as references lie, each under its name."""
        return Path(self.layout.references(self.voice))

    def clip_folders(self) -> tuple[Path, ...]:
        """The folders with this voice's recordings, that of named references first."""
        return (
            self.references_folder,
            Path(self.layout.dataset(self.voice)),
            Path(self.layout.dataset(self.voice)) / "wavs",
            Path(self.layout.features(self.voice)),
        )

    def reference_names(self) -> list[str]:
        """Names of the references that were added, such as a mood."""
        return sorted(path.stem for path in self.references_folder.glob("*.wav"))

    def named_reference(self, name: str) -> dict[str, Any]:
        """ref_audio, ref_text and ref_lang of the added reference `name`; KeyError for none."""
        if name not in self.reference_names():
            raise KeyError(name)
        path = self._clip(name)
        facts = read_optional_facts(path.with_suffix(".json"))
        found = {"ref_audio": str(path), "ref_text": to_text(facts.get("text"))}
        language = to_text(facts.get("language"))
        return found | ({"ref_lang": language} if language else {})

    def with_named_reference(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """`infer` params whose `ref_audio` may be an added reference's name, with its clip.

        Its words and language come along where `params` give no words. Problem for a name that
        no reference has.
        """
        called = params.get("ref_audio")
        if not isinstance(called, str):
            return dict(params)
        if called in self.reference_names():
            words = {name for name in ("ref_text", "ref_lang") if not params.get("ref_text")}
            rest = {name: value for name, value in params.items() if name not in words}
            return {**self.named_reference(called), **rest, "ref_audio": str(self._clip(called))}
        if is_voice_name(called) and not Path(called).suffix and not Path(called).exists():
            known = ", ".join(self.reference_names()) or "-"
            facts = {"voice": self.voice, "name": called, "known": known}
            raise Problem("engine.speaking.no_named_reference", ExitCode.CONFIG, **facts)
        return dict(params)

    def _clip(self, name: str) -> Path:
        return self.references_folder / f"{name}.wav"

    def clips(self) -> list[TranscribedClip]:
        """The voice's recordings with their words, as its list names them; [] without a list."""
        folder = Path(self.layout.dataset(self.voice))
        source = folder / f"{self.voice}.list"
        if not source.is_file():
            return []
        wavs = folder / "wavs"
        items = read_dataset_list(source, wavs if wavs.is_dir() else None).items
        return [
            TranscribedClip(item.wav, item.text, item.language)
            for item in items
            if item.wav.is_file()
        ]

    def initial_pair(self, exports: Path) -> tuple[Path, Path] | None:
        """The GPT and SoVITS that training started from, where they are still there.

        Weights from scratch are first exported below `exports`, as epoch 0.
        """
        version = self._trained_version()
        if self._recorded_set(self.sovits_path()) is None:
            initial = self._scratch_weights(version)
            if is_written(initial):
                return export_initial_weights(initial, exports, self.voice)
        root = Path(self.layout.pretrained)
        recorded = self._recorded_set(self.sovits_path())
        folders = sorted(root.glob("*")) if recorded is None else [recorded]
        for folder in folders:
            gpt = starting_file(folder, version, "gpt")
            sovits = starting_file(folder, version, "generator")
            if gpt is not None and sovits is not None:
                return gpt, sovits
        return None

    def lexicon(self) -> Lexicon:
        """The voice's own words as they stand now, and the model for Chinese polyphones."""
        return open_lexicon(self.layout, self.voice, self.polyphones, self._words_file)

    def open_recogniser(self, given: Path | None, device: str) -> Recogniser | None:
        """The recogniser of `given`, else the one below pretrained/, else None."""
        folder = given or Path(self.layout.pretrained / RECOGNISER_FOLDER)
        if given is None and not folder.is_dir():
            return None
        recogniser = SpeechRecogniser(folder, device)
        print_notice(recogniser.notice)
        return recogniser

    def open_pipeline(
        self, gpt: Path, sovits: Path, device: str = "cpu", precision: str = "fp32"
    ) -> SpeechPipeline:
        """Load a pair and the encoders it was trained with; int8 needs a CPU."""
        if precision == "int8" and device != "cpu":
            raise Problem("engine.speaking.int8_needs_cpu", ExitCode.CONFIG, device=device)
        self.on_step("sovits")
        decoder, low_precision = open_sovits(sovits, device, precision)
        self.on_step("encoders")
        encoders = self._open_encoders(sovits, decoder.config.version, device)
        self.on_step("gpt")
        pipeline = SpeechPipeline(
            open_gpt(gpt, device, precision),
            decoder,
            encoders.content,
            encoders.text,
            lexicon=self.lexicon(),
            low_precision=low_precision,
            speaker_encoder=None if encoders.speaker is None else encoders.speaker.get(),
        )
        if device == "cpu":
            huge_pages.move_to_huge_pages()
        return pipeline

    def require_encoders(self, sovits: Path) -> None:
        """Raise Problem when an encoder that `sovits` was trained with is not there; loads none."""
        self._open_encoders(sovits, _weight_file(sovits).version, "cpu")

    def _weight_paths(self, stage: str) -> list[Path]:
        return list_voice_weights(self.layout, self.voice, stage)

    def _resolve_weight(self, stage: str, name: str) -> Path:
        weights = self._weight_paths(stage)
        folder_of = self.layout.gpt_weights if stage == "gpt" else self.layout.sovits_weights
        folder = folder_of(self.voice, VERSIONS[0])
        if not name:
            if not weights:
                raise no_weights(folder)
            return select_weight(Path(self.layout.features(self.voice)), weights)
        listed = [path for path in weights if weight_name(path) == name]
        # A bare name that no v2 weight has: of the version that was trained last.
        alike = listed or [path for path in weights if path.name == name]
        if alike:
            return alike[-1]
        given = Path(name)
        return given if given.is_file() else Path(folder) / name

    def _scratch_weights(self, version: str) -> InitialWeights:
        """The weights from scratch that training in `version` began with, written or not."""
        spec = RunSpec(run="speak", voice=self.voice, preset=version)
        return open_initial_weights(spec, self.layout)

    def _open_encoders(self, sovits: Path, version: str, device: str) -> FrozenEncoders:
        """Those that the weight was trained with; kept, since most pairs of a voice share them."""
        scratch = self._scratch_weights(version)
        folder = self._recorded_set(sovits)
        if folder is None and is_written(scratch):
            folder = scratch.folder
        folder = folder or self._only_set()
        key = (folder, version, device)
        if key not in self.encoders:
            self.encoders[key] = (
                scratch.encoders(device)
                if folder == scratch.folder
                else encoders_of_set(folder, version, device, takes_speaker=version in PRO)
            )
        return self.encoders[key]

    def _recorded_set(self, sovits: Path) -> Path | None:
        """The set that was asked for, or that the weight's note or the voice's runs name."""
        root = Path(self.layout.pretrained)
        if self._pretrained is not None:
            return root / self._pretrained
        identity = recorded_identity(sovits)
        name = set_of_identity(identity)
        if not identity:
            name = set_of_newest_run(self.layout, self.voice)
        there = name is not None and (root / name / CONTENT_ENCODER_FOLDER).is_dir()
        return root / name if name is not None and there else None

    def _only_set(self) -> Path:
        """A set of this machine where all have the same encoders; else Problem."""
        root = Path(self.layout.pretrained)
        found = sorted(path.parent for path in root.glob(f"*/{CONTENT_ENCODER_FOLDER}"))
        if len(found) != 1 and len({content_digest(folder) for folder in found}) != 1:
            names = ", ".join(path.name for path in found) or "-"
            raise Problem(
                "engine.speaking.which_set", ExitCode.CONFIG, folder=str(root), found=names
            )
        return found[0]

    def _trained_version(self) -> str:
        """The version of the SoVITS weights that were trained last; v2 where there are none."""
        weights = self.sovits_weights()
        return weights[-1].version if weights else VERSIONS[0]


def _weight_file(path: Path) -> StoredWeight:
    named = weight_epoch(path.name)
    facts = read_optional_facts(sidecar_path(path))
    metrics = facts.get("metrics")
    stage, version = WEIGHT_FOLDERS[path.parent.parent.name]
    # One of another version may have been put there by hand.
    if stage == "sovits" and facts.get("version") in VERSIONS:
        version = facts["version"]
    epoch = named[0] if named is not None else None
    shown = metrics if isinstance(metrics, dict) else {}
    return StoredWeight(path, version, epoch, path.stat().st_size, shown)
