"""Where training starts: a pretrained set, or weights from scratch for one voice.

Weights from scratch are kept as `logs/NAME/base`, or `base_v2Pro`, because tokens, resumed runs
and the check that training changed something all refer to them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sovdeck.engine import interop
from sovdeck.engine.contract.atomic_io import replace_hashed, write_atomic
from sovdeck.engine.contract.foreign_values import damaged_facts, read_facts
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.pretrained_set import missing_files, resolve_preset, starting_file
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.interop.set_manifest import check_unchanged, unchanged_digest
from sovdeck.engine.models.deferred import DeferredModel
from sovdeck.engine.models.digest import QUANTISER_PARTS, model_digest
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.prepare.frozen_encoders import (
    CONTENT_ENCODER_FOLDER,
    FrozenEncoders,
    encoders_of_set,
    untrained_encoders,
)
from sovdeck.engine.runtime import rng

PRETRAINED_PREFIX = "pretrained:"
_CONTENT_KINDS = {"sovits": "generator", "discriminator": "discriminator", "gpt": "gpt"}

StateDict = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class InitialWeights:
    """Where the starting weights lie and how large the networks are.

    `identity` changes when the weights do; "" until weights from scratch are written.
    """

    folder: Path
    pretrained: bool
    sovits_config: SovitsConfig
    gpt_config: GptConfig
    seed: int
    identity: str

    def build_synthesizer(self) -> Synthesizer:
        """A generator with the starting weights; a posterior that the file lacks stays random."""
        rng.seed_all(self.seed)
        model = Synthesizer(self.sovits_config)
        self._load_into(model, "sovits")
        return model

    def build_discriminator(self) -> Discriminator:
        """Discriminators with the starting weights; Problem when they do not fit."""
        rng.seed_all(self.seed + 1)
        model = Discriminator(self.sovits_config)
        self._load_into(model, "discriminator")
        return model

    def build_text2semantic(self) -> Text2Semantic:
        """A GPT with the starting weights; Problem when they do not fit."""
        rng.seed_all(self.seed + 2)
        model = Text2Semantic(self.gpt_config)
        self._load_into(model, "gpt")
        return model

    def encoders(self, device: str | torch.device) -> FrozenEncoders:
        """The frozen encoders that this training goes with, to run on `device`."""
        config = self.sovits_config
        if self.pretrained:
            return encoders_of_set(
                self.folder, config.version, device, takes_speaker=config.takes_speaker
            )
        numbers = config.speaker_numbers if config.takes_speaker else None
        return untrained_encoders(self.seed, config.ssl_dim, device, speaker_numbers=numbers)

    def defer_synthesizer(self, device: torch.device) -> DeferredModel[Synthesizer]:
        """The generator whose quantiser makes the tokens, to run on `device`.

        Where nothing is written yet, a random one whose codebook has still to be fitted.
        """

        def load() -> Synthesizer:
            model = self.build_synthesizer() if is_written(self) else random_synthesizer(self)
            return model.to(device).eval()

        if self.pretrained:
            path = self._pretrained_file("generator")
            return DeferredModel(lambda: unchanged_digest(self.folder, path), load)
        deferred = DeferredModel(lambda: model_digest(deferred.get(), QUANTISER_PARTS), load)
        return deferred

    def load_state(self, part: str) -> StateDict:
        """The stored starting weights of "sovits", "discriminator" or "gpt"."""
        if not self.pretrained:
            path = self.folder / f"{part}.pt"
            state: StateDict = torch.load(path, map_location="cpu", weights_only=True)
            return state
        path = self._pretrained_file(_CONTENT_KINDS[part])
        check_unchanged(self.folder, path)
        if part == "sovits":
            weights = interop.read_sovits(path)
            if weights.version != self.sovits_config.version:
                raise Problem(
                    "engine.training.base_version",
                    ExitCode.CONFIG,
                    path=str(path),
                    version=weights.version,
                    want=self.sovits_config.version,
                )
            return weights.state
        if part == "gpt":
            return interop.read_gpt(path).state
        return interop.read_discriminator(path)

    def _pretrained_file(self, content_kind: str) -> Path:
        path = starting_file(self.folder, self.sovits_config.version, content_kind)
        if path is None:
            raise _no_pretrained(self.folder, self.sovits_config.version)
        return path

    def _load_into(self, model: torch.nn.Module, part: str) -> None:
        state, own = self.load_state(part), model.state_dict()
        misfits = [
            name
            for name, value in own.items()
            if (state[name].shape != value.shape if name in state else _is_required(name))
        ]
        if misfits:
            raise Problem(
                "engine.training.base_unfit",
                ExitCode.CONFIG,
                part=part,
                count=len(misfits),
                total=len(own),
                names=", ".join(misfits[:3]),
            )
        model.load_state_dict(state, strict=False)


def preset_configs(preset: str) -> tuple[SovitsConfig, GptConfig]:
    """Network sizes of a preset: a version of GPT-SoVITS, or one of the two toys."""
    if preset == "tiny":
        return SovitsConfig.tiny(), GptConfig.tiny()
    if preset == "tinyPro":
        return SovitsConfig.tiny_pro(), GptConfig.tiny()
    return SovitsConfig.of(preset), GptConfig.v2()


def open_initial_weights(spec: RunSpec, layout: Layout) -> InitialWeights:
    """Find the weights a run starts from. Problem when a pretrained set is not complete."""
    spec = resolve_preset(spec, layout)
    sovits, gpt = preset_configs(spec.preset)
    seed = spec.settings.train.seed
    if spec.pretrained is None:
        folder = Path(layout.scratch_weights(spec.voice, sovits.version))
        return _weights_from_scratch(folder, sovits, gpt, seed)
    folder = Path(layout.pretrained) / spec.pretrained
    if not (folder / CONTENT_ENCODER_FOLDER).is_dir() or missing_files(folder, sovits.version):
        raise _no_pretrained(folder, sovits.version)
    # One folder holds the starting weights of all versions.
    identity = f"{PRETRAINED_PREFIX}{spec.pretrained}/{sovits.version}/{_digest(folder, sovits)}"
    return InitialWeights(folder, True, sovits, gpt, seed, identity)


def set_of_identity(identity: str) -> str | None:
    """The name of the pretrained set in an `identity`; None for weights from scratch."""
    if not identity.startswith(PRETRAINED_PREFIX):
        return None
    return identity.removeprefix(PRETRAINED_PREFIX).split("/")[0]


def _digest(folder: Path, sovits: SovitsConfig) -> str:
    """One digest of the starting files; Problem when one has changed since it came."""
    paths = [starting_file(folder, sovits.version, kind) for kind in _CONTENT_KINDS.values()]
    digests = [unchanged_digest(folder, path) for path in paths if path is not None]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()[:16]


def _no_pretrained(folder: Path, version: str) -> Problem:
    missing = [name for name in (CONTENT_ENCODER_FOLDER,) if not (folder / name).is_dir()]
    missing += missing_files(folder, version)
    return Problem(
        "engine.training.no_pretrained",
        ExitCode.CONFIG,
        set=folder.name,
        version=version,
        missing=", ".join(missing),
    )


def _weights_from_scratch(
    folder: Path, sovits: SovitsConfig, gpt: GptConfig, seed: int
) -> InitialWeights:
    note = folder / "base.json"
    try:
        facts = read_facts(note)
    except FileNotFoundError:
        return InitialWeights(folder, False, sovits, gpt, seed, "")
    # A voice keeps the weights it began with: another seed later may not change its tokens.
    try:
        return InitialWeights(
            folder,
            False,
            SovitsConfig(**_lists_to_tuples(facts["sovits"])),
            GptConfig(**facts["gpt"]),
            int(facts["seed"]),
            str(facts["identity"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise damaged_facts(note, f"{type(error).__name__}: {error}") from error


def is_written(initial: InitialWeights) -> bool:
    """False for weights from scratch that have not been written yet."""
    return initial.pretrained or bool(initial.identity)


def random_synthesizer(initial: InitialWeights) -> Synthesizer:
    """The random generator that weights from scratch begin with, its codebook not yet fitted."""
    rng.seed_all(initial.seed)
    return Synthesizer(initial.sovits_config)


def write_initial_weights(initial: InitialWeights, synthesizer: Synthesizer) -> InitialWeights:
    """Write weights from scratch around a generator whose codebook was fitted to the voice.

    The file `base.json` is written last, so a killed attempt leaves nothing that counts.
    """
    initial.folder.mkdir(parents=True, exist_ok=True)
    rng.seed_all(initial.seed + 1)
    discriminator = Discriminator(initial.sovits_config)
    rng.seed_all(initial.seed + 2)
    gpt = Text2Semantic(initial.gpt_config)
    parts = {"sovits": synthesizer, "discriminator": discriminator, "gpt": gpt}
    digests = [_write_state(initial.folder / f"{name}.pt", part) for name, part in parts.items()]
    identity = "made:" + "-".join(digest[:12] for digest in digests)
    facts = {
        "sovits": vars(initial.sovits_config),
        "gpt": vars(initial.gpt_config),
        "seed": initial.seed,
        "identity": identity,
        "content": "random",
    }
    # Written last: without it the weights do not exist, and a killed attempt starts over.
    write_atomic(initial.folder / "base.json", json.dumps(facts, indent=1).encode())
    return InitialWeights(
        initial.folder, False, initial.sovits_config, initial.gpt_config, initial.seed, identity
    )


def _is_required(name: str) -> bool:
    # Small voice files leave the posterior out, which only training uses.
    return not name.startswith("enc_q.")


def export_initial_weights(initial: InitialWeights, folder: Path, voice: str) -> tuple[Path, Path]:
    """Write starting weights as the GPT and SoVITS files that an epoch 0 would have left.

    They lie in a folder named by their identity; files that are there already stay.
    """
    folder /= initial.identity.removeprefix("made:")
    existing = folder / f"{voice}-e0.ckpt", folder / f"{voice}_e0_s0.pth"
    if all(path.is_file() for path in existing):
        return existing
    gpt = interop.write_gpt(folder, voice, 0, initial.load_state("gpt"), initial.gpt_config, {})
    sovits = interop.write_sovits(
        folder, voice, 0, 0, initial.load_state("sovits"), initial.sovits_config, {}
    )
    return gpt.path, sovits.path


def _write_state(path: Path, model: torch.nn.Module) -> str:
    _, digest = replace_hashed(path, lambda file: torch.save(model.state_dict(), file))  # type: ignore[arg-type]
    return digest


def _lists_to_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    # JSON has lists only; the configuration compares as tuples.
    return {name: _list_to_tuple(value) for name, value in values.items()}


def _list_to_tuple(value: Any) -> Any:
    return tuple(_list_to_tuple(item) for item in value) if isinstance(value, list) else value
