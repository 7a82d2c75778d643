"""Where training starts: a pretrained set, or weights made from nothing for one voice.

Weights made from nothing are kept as `logs/NAME/base`, because tokens, resumed runs and the
check that training changed something all refer to them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine import interop
from engine.contract.layout import Layout
from engine.contract.problem import ExitCode, Problem
from engine.contract.spec import RunSpec
from engine.models.frozen.content import ContentEncoder
from engine.models.gpt.config import GptConfig
from engine.models.gpt.text2semantic import Text2Semantic
from engine.models.sovits.config import SovitsConfig
from engine.models.sovits.discriminator import Discriminator
from engine.models.sovits.synthesizer import Synthesizer
from engine.runtime import chance
from engine.runtime.durable import write_atomic, write_hashed

CONTENT_FOLDER = "chinese-hubert-base"
TEXT_FOLDER = "chinese-roberta-wwm-ext-large"
_PATTERNS = {"sovits": "s2G*.pth", "discriminator": "s2D*.pth", "gpt": "s1*.ckpt"}

State = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Base:
    """Starting weights by name; `identity` changes when they do."""

    folder: Path
    pretrained: bool
    sovits: SovitsConfig
    gpt: GptConfig
    seed: int
    identity: str

    def synthesizer(self) -> Synthesizer:
        """A generator with the starting weights; a small base's posterior stays random."""
        chance.seed_all(self.seed)
        model = Synthesizer(self.sovits)
        self._fill(model, "sovits")
        return model

    def discriminator(self) -> Discriminator:
        chance.seed_all(self.seed + 1)
        model = Discriminator(self.sovits)
        self._fill(model, "discriminator")
        return model

    def text2semantic(self) -> Text2Semantic:
        chance.seed_all(self.seed + 2)
        model = Text2Semantic(self.gpt)
        self._fill(model, "gpt")
        return model

    def content(self) -> ContentEncoder:
        """The frozen content encoder the tokens are made with."""
        if self.pretrained:
            return ContentEncoder.load(self.folder / CONTENT_FOLDER)
        return ContentEncoder.random(self.seed, hidden=self.sovits.ssl_dim)

    def weights(self, part: str) -> State:
        """The stored starting weights of "sovits", "discriminator" or "gpt"."""
        if not self.pretrained:
            path = self.folder / f"{part}.pt"
            state: State = torch.load(path, map_location="cpu", weights_only=True)
            return state
        path = next(iter(sorted(self.folder.glob(_PATTERNS[part]))))
        if part == "sovits":
            return interop.read_sovits(path).state
        if part == "gpt":
            return interop.read_gpt(path).state
        return interop.read_discriminator(path)

    def _fill(self, model: torch.nn.Module, part: str) -> None:
        state, own = self.weights(part), model.state_dict()
        unfit = [
            name for name, value in own.items()
            if (state[name].shape != value.shape if name in state else _needed(name))
        ]  # fmt: skip
        if unfit:
            raise Problem(
                "engine.training.base_unfit", ExitCode.CONFIG,
                part=part, count=len(unfit), total=len(own), names=", ".join(unfit[:3]),
            )  # fmt: skip
        model.load_state_dict(state, strict=False)


def configs(preset: str) -> tuple[SovitsConfig, GptConfig]:
    """Network sizes of a preset: "v2" is GPT-SoVITS v2, "tiny" proves the trip."""
    if preset == "tiny":
        return SovitsConfig.tiny(), GptConfig.tiny()
    return SovitsConfig.v2(), GptConfig.v2()


def open_base(spec: RunSpec, layout: Layout) -> Base:
    """The base a run starts from. Problem when a pretrained set is not complete."""
    sovits, gpt = configs(spec.preset)
    seed = int(spec.value("train.seed"))
    if spec.pretrained is None:
        folder = Path(layout.features(spec.voice)) / "base"
        return _made_base(folder, sovits, gpt, seed)
    folder = Path(layout.pretrained) / spec.pretrained
    missing = [name for name in (CONTENT_FOLDER,) if not (folder / name).is_dir()]
    missing += [pattern for pattern in _PATTERNS.values() if not list(folder.glob(pattern))]
    if missing:
        raise Problem(
            "engine.training.no_pretrained", ExitCode.CONFIG,
            set=spec.pretrained, missing=", ".join(missing),
        )  # fmt: skip
    return Base(folder, True, sovits, gpt, seed, f"pretrained:{spec.pretrained}")


def _made_base(folder: Path, sovits: SovitsConfig, gpt: GptConfig, seed: int) -> Base:
    note = folder / "base.json"
    if not note.is_file():
        return Base(folder, False, sovits, gpt, seed, "")
    # A voice keeps the base it began with: another seed later may not change its tokens.
    facts = json.loads(note.read_text(encoding="utf-8"))
    return Base(
        folder, False, SovitsConfig(**_tuples(facts["sovits"])), GptConfig(**facts["gpt"]),
        int(facts["seed"]), str(facts["identity"]),
    )  # fmt: skip


def is_made(base: Base) -> bool:
    """False for a base from nothing that has not been written yet."""
    return base.pretrained or bool(base.identity)


def unmade_synthesizer(base: Base) -> Synthesizer:
    """The random generator a base from nothing begins with, before its codebook is fitted."""
    chance.seed_all(base.seed)
    return Synthesizer(base.sovits)


def make_base(base: Base, synthesizer: Synthesizer) -> Base:
    """Write a base from nothing around a generator whose codebook was fitted to the voice."""
    base.folder.mkdir(parents=True, exist_ok=True)
    chance.seed_all(base.seed + 1)
    discriminator = Discriminator(base.sovits)
    chance.seed_all(base.seed + 2)
    gpt = Text2Semantic(base.gpt)
    parts = {"sovits": synthesizer, "discriminator": discriminator, "gpt": gpt}
    digests = [_write_state(base.folder / f"{name}.pt", part) for name, part in parts.items()]
    identity = "made:" + "-".join(digest[:12] for digest in digests)
    facts = {
        "sovits": vars(base.sovits), "gpt": vars(base.gpt), "seed": base.seed,
        "identity": identity, "content": "random",
    }  # fmt: skip
    # Written last: without it the base does not exist, and a killed attempt starts over.
    write_atomic(base.folder / "base.json", json.dumps(facts, indent=1).encode())
    return Base(base.folder, False, base.sovits, base.gpt, base.seed, identity)


def _needed(name: str) -> bool:
    # Small voice files leave the posterior out, which only training uses.
    return not name.startswith("enc_q.")


def export_base(base: Base, folder: Path, voice: str) -> tuple[Path, Path]:
    """Starting weights as the GPT and SoVITS files that an epoch 0 would have left.

    They lie in a folder named by the base's identity; files that are there already stay.
    """
    folder /= base.identity.removeprefix("made:")
    standing = folder / f"{voice}-e0.ckpt", folder / f"{voice}_e0_s0.pth"
    if all(path.is_file() for path in standing):
        return standing
    gpt = interop.write_gpt(folder, voice, 0, base.weights("gpt"), base.gpt, {})
    sovits = interop.write_sovits(folder, voice, 0, 0, base.weights("sovits"), base.sovits, {})
    return gpt.path, sovits.path


def _write_state(path: Path, model: torch.nn.Module) -> str:
    beside = path.with_suffix(".tmp")
    _, digest = write_hashed(beside, lambda file: torch.save(model.state_dict(), file))  # type: ignore[arg-type]
    beside.replace(path)
    return digest


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    # JSON has lists only; the configuration compares as tuples.
    return {name: _tuple(value) for name, value in values.items()}


def _tuple(value: Any) -> Any:
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value
