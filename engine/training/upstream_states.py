"""Conversion between this engine's saved training states and upstream's checkpoint files.

Upstream's files have no place for a position inside an epoch, random states or the settings a
state belongs to; those travel in one more entry, which upstream ignores, so that a round
trip changes no bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sovdeck.engine.contract.atomic_io import replace_hashed
from sovdeck.engine.contract.layout import VERSIONS, versioned
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.interop.expected_keys import compare_state_dict, generator_shapes, gpt_shapes
from sovdeck.engine.interop.gpt_file import UPSTREAM_PREFIX, GptWeights, parse_gpt, write_gpt
from sovdeck.engine.interop.safe_load import safe_load
from sovdeck.engine.interop.sovits_file import parse_sovits, write_sovits
from sovdeck.engine.interop.versions import other_version
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.config import PRO_VERSIONS, SovitsConfig
from sovdeck.engine.runtime.checkpoint import CheckpointStore, SavedCheckpoint
from sovdeck.engine.training import upstream_optimizer
from sovdeck.engine.training.meters import Position
from sovdeck.engine.training.scaled_adam import ScaledAdam

EXTRA_KEY = "sovdeck"  # the extra entry
LEARNING_RATE = 1e-4  # the constant that upstream stores, whatever the decay has come to
_NETWORKS = (("G", "model", "generator"), ("D", "discriminator", "discriminator"))


@dataclass(frozen=True)
class ConversionResult:
    """What was written; `lost` is the catalogue key of what the other side cannot carry."""

    paths: tuple[Path, ...]
    lost: str | None = None


def export_state(states: Path, out: Path, voice: str | None = None) -> ConversionResult:
    """Write the newest state below `states` (logs/NAME/states/sovits or .../gpt) for upstream.

    SoVITS: `G_<step>.pth` and `D_<step>.pth`, optimisers included. GPT: a float32 checkpoint
    that training can start from; upstream stacks its optimiser's tensors, which is not written.
    With `voice`, the small weight to speak with is written too. Problem when no state verifies.
    """
    saved = _load_newest_state(states)
    out.mkdir(parents=True, exist_ok=True)
    if (saved.path / "discriminator.pt").is_file():
        return _export_sovits(saved, out, voice)
    return _export_gpt(saved, out, voice)


def import_checkpoint(file: Path, states: Path) -> ConversionResult:
    """Save upstream's `G_*.pth` with the `D_*.pth` beside it, or a GPT `.ckpt`, as a state.

    Problem when the file is no checkpoint, is damaged, does not fit the network, or belongs into
    the states of another version.
    """
    return _import_gpt(file, states) if file.suffix == ".ckpt" else _import_sovits(file, states)


def _export_sovits(saved: SavedCheckpoint, out: Path, voice: str | None) -> ConversionResult:
    optimizer = saved.load("optimizer")
    done = Position.from_facts(saved.facts["position"]).epoch - 1
    config = _match_config(saved.load("model"), SovitsConfig, generator_shapes)
    paths = []
    for letter, part, role in _NETWORKS:
        state = saved.load(part)
        content: dict[str, Any] = {
            "model": state,
            "iteration": done,  # upstream goes on at the epoch after this one
            "optimizer": upstream_optimizer.to_upstream(optimizer[role], list(state)),
            "learning_rate": LEARNING_RATE,
        }
        if config is not None:  # upstream needs none, since all its networks are of one size
            content["config"] = config.to_upstream()
        if letter == "G":
            extra = {"facts": dict(saved.facts), "rng_states": saved.load("rng_states")}
            content[EXTRA_KEY] = {**extra, "scaler": optimizer["scaler"]}
            if voice is not None:
                if config is None:
                    raise _unknown_size(saved)
                speaking_weight = write_sovits(out, voice, done, saved.step, state, config, {})
                paths.append(speaking_weight.path)
        paths.append(_write_checkpoint(out / f"{letter}_{saved.step}.pth", content))
    return ConversionResult(tuple(paths))


def _export_gpt(saved: SavedCheckpoint, out: Path, voice: str | None) -> ConversionResult:
    state = saved.load("model")
    config = _match_config(state, GptConfig, gpt_shapes)
    if config is None:
        raise _unknown_size(saved)
    epoch = max(Position.from_facts(saved.facts["position"]).epoch - 1, 1)
    content = {
        "weight": {UPSTREAM_PREFIX + name: tensor for name, tensor in state.items()},
        "config": config.to_upstream(),
        EXTRA_KEY: {
            "facts": dict(saved.facts),
            "rng_states": saved.load("rng_states"),
            "optimizer": saved.load("optimizer"),
        },
    }
    paths = [_write_checkpoint(out / f"epoch={epoch - 1}-step={saved.step}.ckpt", content)]
    if voice is not None:
        paths.append(write_gpt(out, voice, epoch, state, config, {}).path)
    return ConversionResult(tuple(paths), "engine.convert.gpt_optimizer_stays")


def _import_sovits(file: Path, states: Path) -> ConversionResult:
    twin = file.with_name(f"D{file.name[1:]}")
    if not file.name.startswith("G_") or not twin.is_file():
        raise Problem("engine.convert.no_pair", ExitCode.DATA, path=str(file), twin=twin.name)
    parts: dict[str, Any] = {}
    optimizer: dict[str, Any] = {}
    extra: Mapping[str, Any] = {}
    epoch = step = 0
    for path, (letter, part, role) in zip((file, twin), _NETWORKS, strict=True):
        container = safe_load(path)
        weights = parse_sovits(container)
        if weights.version not in VERSIONS:
            raise other_version(path, weights.version)
        if weights.kind != "checkpoint" or weights.role != role or weights.optimizer is None:
            raise Problem("engine.convert.no_checkpoint", ExitCode.DATA, path=str(path))
        parts[part] = weights.state
        try:
            optimizer[role] = upstream_optimizer.from_upstream(weights.optimizer, weights.state)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            why = f"{type(error).__name__}: {error}"
            raise Problem(
                "engine.convert.bad_optimizer", ExitCode.DATA, path=str(path), why=why
            ) from error
        if letter == "G":
            extra = _extra_entry(container.content)
            epoch, step = weights.epoch or 0, weights.step or _updates_done(weights.optimizer)
            generator = weights
        elif weights.version != _discriminator_version(generator.version):
            raise Problem("engine.convert.no_checkpoint", ExitCode.DATA, path=str(path))
    _check_folder(file, states, generator.version)
    optimizer["scaler"] = extra.get("scaler", {})
    parts |= {"optimizer": optimizer, "rng_states": _rng_states(extra)}
    # A tiny network has no version's preset.
    full_size = generator.config == SovitsConfig.of(generator.version)
    preset = {"preset": generator.version} if full_size else {}
    return _save(states, parts, extra.get("facts"), epoch, step, must_match=preset)


def _check_folder(file: Path, states: Path, version: str) -> None:
    """Problem where `states` belongs to another version: a run of this one would not find it."""
    folder = states.absolute().parent
    belongs = versioned("states", version)
    if folder.name != belongs and folder.name in [versioned("states", one) for one in VERSIONS]:
        raise Problem(
            "engine.convert.other_version",
            ExitCode.CONFIG,
            path=str(file),
            version=version,
            target=str(folder.with_name(belongs) / states.name),
        )


def _discriminator_version(version: str) -> str:
    """Both v2Pro versions share one discriminator."""
    return "v2" if version == "v2" else "v2Pro"


def _updates_done(optimizer: Mapping[str, Any]) -> int:
    """How often AdamW has stepped, where the file's name does not say."""
    return max((int(moments["step"]) for moments in optimizer["state"].values()), default=0)


def _import_gpt(file: Path, states: Path) -> ConversionResult:
    container = safe_load(file)
    weights = parse_gpt(container)
    if weights.version != VERSIONS[0]:  # v2Pro's GPT is v2's
        raise other_version(file, weights.version)
    difference = compare_state_dict(weights.state, weights.shapes)
    if difference.fatal or difference.extra:
        raise Problem("engine.convert.no_checkpoint", ExitCode.DATA, path=str(file))
    extra = _extra_entry(container.content)
    optimizer = extra.get("optimizer")
    parts = {
        "model": weights.state,
        "rng_states": _rng_states(extra),
        "optimizer": optimizer or {"gpt": _new_optimizer_state(weights), "scaler": {}},
    }
    lost = None if optimizer else "engine.convert.gpt_optimizer_fresh"
    epoch, step = weights.epoch or 0, weights.step or 0
    return _save(states, parts, extra.get("facts"), epoch, step, lost)


def _save(
    states: Path,
    parts: Mapping[str, Any],
    facts: Mapping[str, Any] | None,
    epoch: int,
    step: int,
    lost: str | None = None,
    must_match: Mapping[str, Any] | None = None,
) -> ConversionResult:
    if facts is None:
        # Nothing says which data and settings it belongs to; training takes it as it is.
        facts = {
            "position": Position(epoch=epoch + 1, step=step).as_facts(),
            "must_match": dict(must_match or {}),
            "run": "",
            "begun_at_step": step,
            "first": [],
            "last": [],
            "best": {},
        }
    else:
        step = Position.from_facts(facts["position"]).step
    saved = CheckpointStore(states, keep_all=True).save(step, parts, facts)
    return ConversionResult((saved.path,), lost)


def _load_newest_state(states: Path) -> SavedCheckpoint:
    saved, faults = CheckpointStore(states).find_newest()
    if saved is None:
        why = faults[0].why if faults else "-"
        raise Problem("engine.convert.no_state", ExitCode.DATA, path=str(states), why=why)
    return saved


def _extra_entry(content: Mapping[str, Any]) -> Mapping[str, Any]:
    extra = content.get(EXTRA_KEY)
    return extra if isinstance(extra, Mapping) else {}


def _rng_states(extra: Mapping[str, Any]) -> list[Any]:
    """The generators' states; a file of an earlier version calls them dice."""
    states = extra.get("rng_states", extra.get("dice", []))
    return states if isinstance(states, list) else []


def _match_config(state: Mapping[str, Tensor], kind: Any, shapes: Any) -> Any:
    """The configuration of a state: not all of it is in the shapes, so one of the known few."""
    known = [kind.v2(), kind.tiny()]
    if kind is SovitsConfig:
        known += [*map(SovitsConfig.of, PRO_VERSIONS), SovitsConfig.tiny_pro()]
    for config in known:
        difference = compare_state_dict(state, shapes(config))
        if not difference.missing and not difference.extra and not difference.reshaped:
            return config
    return None


def _unknown_size(saved: SavedCheckpoint) -> Problem:
    return Problem("engine.convert.unknown_size", ExitCode.DATA, path=str(saved.path))


def _new_optimizer_state(weights: GptWeights) -> dict[str, Any]:
    with torch.device("meta"):
        model = Text2Semantic(weights.config)
    return ScaledAdam(model.parameters()).state_dict()


def _write_checkpoint(path: Path, content: Mapping[str, Any]) -> Path:
    replace_hashed(path, lambda file: torch.save(dict(content), file))  # type: ignore[arg-type]
    return path
