"""Between this engine's saved training states and upstream's checkpoint files.

Upstream's files have no place for a position inside an epoch, random states or the settings a
state belongs to; those travel in one more entry, which upstream ignores, so that the way there
and back changes no bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.contract.problem import ExitCode, Problem
from engine.interop import adam_order
from engine.interop.container import read_container
from engine.interop.expected import compare, generator_shapes, gpt_shapes
from engine.interop.gpt_file import PREFIX, GptWeights, parse_gpt, write_gpt
from engine.interop.sovits_file import parse_sovits, write_sovits
from engine.models.gpt.config import GptConfig
from engine.models.gpt.text2semantic import Text2Semantic
from engine.models.sovits.config import SovitsConfig
from engine.runtime.checkpoint import Checkpoints, SavedState
from engine.runtime.durable import fsync_folder, write_hashed
from engine.training.progress import Position
from engine.training.scaled_adam import ScaledAdam

OURS = "sovdeck"  # the extra entry
LEARNING_RATE = 1e-4  # the constant that upstream stores, whatever the decay has come to
_SIDES = (("G", "model", "generator"), ("D", "discriminator", "discriminator"))


@dataclass(frozen=True)
class Converted:
    """What was written; `lost` is the catalogue key of what the other side cannot carry."""

    paths: tuple[Path, ...]
    lost: str | None = None


def export_state(states: Path, out: Path, voice: str | None = None) -> Converted:
    """The newest state of `states` (logs/NAME/states/sovits or .../gpt) as upstream's files.

    SoVITS: `G_<step>.pth` and `D_<step>.pth`, optimisers included. GPT: a float32 base that
    training can start from; upstream stacks its optimiser's tensors, which is not written.
    With `voice`, the small weight to speak with is written too. Problem when no state verifies.
    """
    saved = _newest(states)
    out.mkdir(parents=True, exist_ok=True)
    if (saved.path / "discriminator.pt").is_file():
        return _export_sovits(saved, out, voice)
    return _export_gpt(saved, out, voice)


def import_checkpoint(file: Path, states: Path) -> Converted:
    """Upstream's `G_*.pth` with the `D_*.pth` beside it, or a GPT `.ckpt`, as a state.

    Problem when the file is no checkpoint, is damaged, or does not fit the network.
    """
    return _import_gpt(file, states) if file.suffix == ".ckpt" else _import_sovits(file, states)


def _export_sovits(saved: SavedState, out: Path, voice: str | None) -> Converted:
    optimizer = saved.load("optimizer")
    done = Position.from_facts(saved.facts["position"]).epoch - 1
    config = _size(saved.load("model"), SovitsConfig, generator_shapes)
    paths = []
    for letter, part, role in _SIDES:
        state = saved.load(part)
        content: dict[str, Any] = {
            "model": state,
            "iteration": done,  # upstream goes on at the epoch after this one
            "optimizer": adam_order.to_upstream(optimizer[role], list(state)),
            "learning_rate": LEARNING_RATE,
        }
        if config is not None:  # upstream needs none, since all its networks are of one size
            content["config"] = config.to_upstream()
        if letter == "G":
            kept = {"facts": dict(saved.facts), "dice": saved.load("dice")}
            content[OURS] = {**kept, "scaler": optimizer["scaler"]}
            if voice is not None:
                if config is None:
                    raise _unknown_size(saved)
                small = write_sovits(out, voice, done, saved.step, state, config, {})
                paths.append(small.path)
        paths.append(_write(out / f"{letter}_{saved.step}.pth", content))
    return Converted(tuple(paths))


def _export_gpt(saved: SavedState, out: Path, voice: str | None) -> Converted:
    state = saved.load("model")
    config = _size(state, GptConfig, gpt_shapes)
    if config is None:
        raise _unknown_size(saved)
    epoch = max(Position.from_facts(saved.facts["position"]).epoch - 1, 1)
    content = {
        "weight": {PREFIX + name: tensor for name, tensor in state.items()},
        "config": config.to_upstream(),
        OURS: {
            "facts": dict(saved.facts), "dice": saved.load("dice"),
            "optimizer": saved.load("optimizer"),
        },
    }  # fmt: skip
    paths = [_write(out / f"epoch={epoch - 1}-step={saved.step}.ckpt", content)]
    if voice is not None:
        paths.append(write_gpt(out, voice, epoch, state, config, {}).path)
    return Converted(tuple(paths), "engine.convert.gpt_optimizer_stays")


def _import_sovits(file: Path, states: Path) -> Converted:
    twin = file.with_name(f"D{file.name[1:]}")
    if not file.name.startswith("G_") or not twin.is_file():
        raise Problem("engine.convert.no_pair", ExitCode.DATA, path=str(file), twin=twin.name)
    parts: dict[str, Any] = {}
    optimizer: dict[str, Any] = {}
    kept: Mapping[str, Any] = {}
    epoch = step = 0
    for path, (letter, part, role) in zip((file, twin), _SIDES, strict=True):
        container = read_container(path)
        weights = parse_sovits(container)
        if weights.kind != "checkpoint" or weights.role != role or weights.optimizer is None:
            raise Problem("engine.convert.no_checkpoint", ExitCode.DATA, path=str(path))
        parts[part] = weights.state
        try:
            optimizer[role] = adam_order.from_upstream(weights.optimizer, weights.state)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            why = f"{type(error).__name__}: {error}"
            raise Problem(
                "engine.convert.bad_optimizer", ExitCode.DATA, path=str(path), why=why
            ) from error
        if letter == "G":
            kept = _kept(container.content)
            epoch, step = weights.epoch or 0, weights.step or 0
    optimizer["scaler"] = kept.get("scaler", {})
    parts |= {"optimizer": optimizer, "dice": kept.get("dice", [])}
    return _save(states, parts, kept.get("facts"), epoch, step)


def _import_gpt(file: Path, states: Path) -> Converted:
    container = read_container(file)
    weights = parse_gpt(container)
    difference = compare(weights.state, weights.shapes)
    if difference.fatal or difference.extra:
        raise Problem("engine.convert.no_checkpoint", ExitCode.DATA, path=str(file))
    kept = _kept(container.content)
    optimizer = kept.get("optimizer")
    parts = {
        "model": weights.state, "dice": kept.get("dice", []),
        "optimizer": optimizer or {"gpt": _fresh_optimizer(weights), "scaler": {}},
    }  # fmt: skip
    lost = None if optimizer else "engine.convert.gpt_optimizer_fresh"
    epoch, step = weights.epoch or 0, weights.step or 0
    return _save(states, parts, kept.get("facts"), epoch, step, lost)


def _save(
    states: Path,
    parts: Mapping[str, Any],
    facts: Mapping[str, Any] | None,
    epoch: int,
    step: int,
    lost: str | None = None,
) -> Converted:
    if facts is None:
        # Nothing says which data and settings it belongs to, so training will ask to confirm.
        facts = {
            "position": Position(epoch=epoch + 1, step=step).as_facts(), "must_match": {},
            "run": "", "begun_at_step": step, "first": [], "last": [], "best": {},
        }  # fmt: skip
    else:
        step = Position.from_facts(facts["position"]).step
    saved = Checkpoints(states, keep_all=True).save(step, parts, facts)
    return Converted((saved.path,), lost)


def _newest(states: Path) -> SavedState:
    saved, faults = Checkpoints(states).newest()
    if saved is None:
        why = faults[0].why if faults else "-"
        raise Problem("engine.convert.no_state", ExitCode.DATA, path=str(states), why=why)
    return saved


def _kept(content: Mapping[str, Any]) -> Mapping[str, Any]:
    kept = content.get(OURS)
    return kept if isinstance(kept, Mapping) else {}


def _size(state: Mapping[str, Tensor], kind: Any, shapes: Any) -> Any:
    """The configuration of a state: not all of it is in the shapes, so one of the known two."""
    for config in (kind.v2(), kind.tiny()):
        difference = compare(state, shapes(config))
        if not difference.missing and not difference.extra and not difference.reshaped:
            return config
    return None


def _unknown_size(saved: SavedState) -> Problem:
    return Problem("engine.convert.unknown_size", ExitCode.DATA, path=str(saved.path))


def _fresh_optimizer(weights: GptWeights) -> dict[str, Any]:
    with torch.device("meta"):
        model = Text2Semantic(weights.config)
    return ScaledAdam(model.parameters()).state_dict()


def _write(path: Path, content: Mapping[str, Any]) -> Path:
    beside = path.with_name(f".{path.name}.tmp")
    try:
        write_hashed(beside, lambda file: torch.save(dict(content), file))  # type: ignore[arg-type]
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)
    return path
