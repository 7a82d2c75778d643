"""Saved states and upstream's checkpoints, there and back, without a changed bit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from interop_micro import command
from micro_models import SOVITS
from torch import Tensor

from sovdeck.engine import interop
from sovdeck.engine.commands import convert
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.runtime import rng
from sovdeck.engine.runtime.checkpoint import CheckpointStore, SavedCheckpoint
from sovdeck.engine.training import upstream_optimizer
from sovdeck.engine.training.meters import Position
from sovdeck.engine.training.scaled_adam import ScaledAdam
from sovdeck.engine.training.upstream_states import export_state, import_checkpoint


def equal(a: Any, b: Any) -> bool:
    """The same values bit for bit; lists and tuples are one."""
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b)


def stepped(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.requires_grad:
                parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    return optimizer.state_dict()


def adam(groups: Any) -> torch.optim.AdamW:
    return torch.optim.AdamW(groups, 1e-4, betas=(0.8, 0.99), eps=1e-9)


FACTS = {
    "position": Position(epoch=5, index=3, step=120, micro=2).as_facts(),
    "must_match": {"dataset": "ab"},
    "run": "r1",
    "begun_at_step": 0,
    "first": [3.0],
    "last": [1.5],
    "best": {},
    "engine": "0",
}


def newest(folder: Path) -> SavedCheckpoint:
    """The newest state in a folder that holds one."""
    state, _ = CheckpointStore(folder).find_newest()
    assert state is not None
    return state


def write_states(folder: Path, config: SovitsConfig) -> Path:
    """A saved state of the SoVITS stage, after one update."""
    torch.manual_seed(0)
    generator, judge = Synthesizer(config), Discriminator(config)
    parts = {
        "optimizer": {
            "generator": stepped(adam(generator.parameter_groups(1e-4, 0.4))),
            "discriminator": stepped(adam(judge.parameters())),
            "scaler": {"scale": 2.0},
        },
        "model": generator.state_dict(),
        "discriminator": judge.state_dict(),
        "rng_states": [rng.capture()],
    }
    CheckpointStore(folder).save(120, parts, FACTS)
    return folder


@pytest.fixture(scope="module")
def sovits_states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_states(tmp_path_factory.mktemp("run") / "states" / "sovits", SOVITS)


@pytest.fixture(scope="module", params=["v2", "v2Pro"])
def versioned_states(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, SovitsConfig]:
    """A state of v2, and one of v2Pro in the size that its tensors tell."""
    config = SovitsConfig.tiny() if request.param == "v2" else SovitsConfig.tiny_pro()
    return write_states(tmp_path_factory.mktemp("run") / "states" / "sovits", config), config


def test_sovits_state_goes_there_and_back(versioned_states, tmp_path) -> None:
    sovits_states, _ = versioned_states
    there = export_state(sovits_states, tmp_path / "out")
    assert [path.name for path in there.paths] == ["G_120.pth", "D_120.pth"]
    raw = torch.load(there.paths[0], weights_only=True)
    assert raw["iteration"] == 4 and raw["learning_rate"] == 1e-4
    assert all(t.dtype == torch.float32 for t in raw["model"].values())
    import_checkpoint(there.paths[0], tmp_path / "back")
    before, after = newest(sovits_states), newest(tmp_path / "back")
    assert after.step == 120 and after.facts == json.loads(json.dumps(before.facts))
    for part in ("model", "discriminator", "optimizer", "rng_states"):
        assert equal(before.load(part), after.load(part)), part
    again = export_state(tmp_path / "back", tmp_path / "again")
    for one, other in zip(there.paths, again.paths, strict=True):
        first, second = (torch.load(path, weights_only=True) for path in (one, other))
        assert equal(first, second)


def test_a_state_gives_the_small_weight_too(tmp_path) -> None:
    torch.manual_seed(0)
    generator, judge = Synthesizer(SovitsConfig.tiny()), Discriminator(SovitsConfig.tiny())
    parts = {
        "optimizer": {
            "generator": adam(generator.parameter_groups(1e-4, 0.4)).state_dict(),
            "discriminator": adam(judge.parameters()).state_dict(),
            "scaler": {},
        },
        "model": generator.state_dict(),
        "discriminator": judge.state_dict(),
        "rng_states": [],
    }
    CheckpointStore(tmp_path / "states").save(120, parts, FACTS)
    paths = export_state(tmp_path / "states", tmp_path / "out", "Atri").paths
    assert [path.name for path in paths] == ["Atri_e4_s120.pth", "G_120.pth", "D_120.pth"]
    small = interop.read_sovits(paths[0])
    assert small.config == SovitsConfig.tiny()
    assert equal(small.state["dec.conv_pre.bias"], generator.dec.conv_pre.bias.half())
    for path in paths[1:]:
        facts = interop.inspect_weights(path)
        assert facts["runs"] and (facts["kind"], facts["network"]) == ("checkpoint", "tiny")


def test_exported_optimiser_is_the_one_upstream_would_have(versioned_states, tmp_path) -> None:
    """Upstream numbers the frozen projection too; both must then take the very same step."""
    sovits_states, config = versioned_states
    path = export_state(sovits_states, tmp_path).paths[0]
    raw = torch.load(path, weights_only=True)
    gradients: dict[str, Tensor] = {}

    def one_step(frozen: bool) -> dict[str, Tensor]:
        model = Synthesizer(config)
        model.load_state_dict(raw["model"])
        names = dict(model.named_parameters())
        if frozen:  # our own optimiser, from our own state
            saved = newest(sovits_states).load("optimizer")["generator"]
            optimizer = adam(model.parameter_groups(1e-4, 0.4))
            optimizer.load_state_dict(saved)
        else:  # upstream's: everything but the text side, then each part of that
            parts = ["enc_p.text_embedding.", "enc_p.encoder_text.", "enc_p.mrte."]
            rest = [p for n, p in names.items() if not n.startswith(tuple(parts))]
            groups = [[p for n, p in names.items() if n.startswith(part)] for part in parts]
            optimizer = adam([{"params": group} for group in (rest, *groups)])
            optimizer.load_state_dict(raw["optimizer"])
        for name, parameter in names.items():
            if not name.startswith("ssl_proj"):
                gradients.setdefault(name, torch.randn_like(parameter))
                parameter.grad = gradients[name].clone()
        optimizer.step()
        return {name: parameter.detach() for name, parameter in names.items()}

    ours, theirs = one_step(True), one_step(False)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not torch.equal(ours["enc_p.proj.bias"], raw["model"]["enc_p.proj.bias"])


def test_a_checkpoint_of_upstream_becomes_a_state(sovits_states, tmp_path) -> None:
    for path in export_state(sovits_states, tmp_path).paths:
        raw = torch.load(path, weights_only=True)
        raw.pop("sovdeck", None)
        for group in raw["optimizer"]["param_groups"]:
            group.pop("decoupled_weight_decay")  # an older torch
        torch.save(raw, path)
    import_checkpoint(tmp_path / "G_120.pth", tmp_path / "states")
    state = newest(tmp_path / "states")
    position = Position.from_facts(state.facts["position"])
    assert (position.epoch, position.index, position.step) == (5, 0, 120)
    assert state.facts["must_match"] == {"preset": "v2"}
    model = Synthesizer(SOVITS)
    model.load_state_dict(state.load("model"))
    optimizer = adam(model.parameter_groups(1e-4, 0.4))
    optimizer.load_state_dict(state.load("optimizer")["generator"])
    assert optimizer.param_groups[0]["betas"] == (0.8, 0.99)


def test_gpt_state_goes_there_and_back(tmp_path) -> None:
    torch.manual_seed(0)
    model = Text2Semantic(GptConfig.tiny())
    optimizer = {"gpt": stepped(ScaledAdam(model.parameters())), "scaler": {}}
    parts = {"model": model.state_dict(), "optimizer": optimizer, "rng_states": [rng.capture()]}
    CheckpointStore(tmp_path / "gpt").save(120, parts, FACTS)
    there = export_state(tmp_path / "gpt", tmp_path / "out")
    assert there.paths[0].name == "epoch=3-step=120.ckpt" and there.lost
    raw = torch.load(there.paths[0], weights_only=True)
    assert all(
        n.startswith("model.") and t.dtype == torch.float32 for n, t in raw["weight"].items()
    )
    small = interop.read_gpt(export_state(tmp_path / "gpt", tmp_path / "v", "Atri").paths[1])
    assert small.path.name == "Atri-e4.ckpt"
    assert equal(small.state, {n: t.half() for n, t in model.state_dict().items()})
    back = import_checkpoint(there.paths[0], tmp_path / "back")
    assert back.lost is None
    before, after = (newest(tmp_path / f) for f in ("gpt", "back"))
    for part in ("model", "optimizer", "rng_states"):
        assert equal(before.load(part), after.load(part)), part

    foreign = {"state_dict": raw["weight"], "hyper_parameters": {"config": raw["config"]}}
    torch.save(foreign, tmp_path / "epoch=14-step=90.ckpt")
    fresh = import_checkpoint(tmp_path / "epoch=14-step=90.ckpt", tmp_path / "fresh")
    assert fresh.lost == "engine.convert.gpt_optimizer_fresh"
    state = newest(tmp_path / "fresh")
    assert state.step == 90 and state.facts["position"]["epoch"] == 16
    optimizer = ScaledAdam(model.parameters())
    optimizer.load_state_dict(state.load("optimizer")["gpt"])
    assert not optimizer.state and optimizer.param_groups[0]["step"] == 0
    assert equal(state.load("model"), dict(model.state_dict()))


def test_what_a_lightning_checkpoint_loses_is_said_and_true(tmp_path, capsys) -> None:
    """Of two optimisers with the same gradients the fresh one soon stands where the other does."""
    model = Text2Semantic(GptConfig.tiny())
    foreign = {
        "state_dict": {f"model.{name}": tensor for name, tensor in model.state_dict().items()},
        "hyper_parameters": {"config": GptConfig.tiny().to_upstream()},
        "optimizer_states": [{"state": {0: {"step": 90}}, "param_groups": [{"lr": 0.002}]}],
    }
    torch.save(foreign, tmp_path / "epoch=14-step=90.ckpt")
    assert command(convert, tmp_path / "epoch=14-step=90.ckpt", tmp_path / "s", "--json") == 0
    lost = json.loads(capsys.readouterr().out)["lost"]
    assert "a hundred updates" in lost["en"] and "next thousand updates" in lost["en"]
    assert "一百次更新" in lost["zh"] and "一千次更新" in lost["zh"]

    torch.manual_seed(0)
    weight = torch.randn(8, 8)
    old, fresh = (torch.nn.Parameter(weight.clone()) for _ in range(2))
    optimizers = {one: ScaledAdam([one], 0.002) for one in (old, fresh)}
    for update in range(-300, 1101):
        gradient = torch.randn(8, 8)
        if update == 0:
            with torch.no_grad():
                fresh.copy_(old)
        for one in (old, fresh) if update >= 0 else (old,):
            one.grad = gradient.clone()
            optimizers[one].step()
        if update == 99:
            states = [optimizers[one].state[one] for one in (old, fresh)]
            for part in ("delta", "exp_avg_sq", "rms", "size_exp_avg_sq"):
                continued, built = (state[part] for state in states)
                assert (continued - built).norm() < 0.05 * continued.norm(), part
        if update in (999, 1000):
            threshold = optimizers[fresh].param_groups[0]["threshold"]
            assert (threshold is None) == (update == 999)


def test_what_cannot_be_converted_is_said(sovits_states, tmp_path) -> None:
    def key(call: Any, *args: Any) -> str:
        with pytest.raises(Problem) as caught:
            call(*args)
        return caught.value.key

    assert key(export_state, tmp_path, tmp_path / "out") == "engine.convert.no_state"
    unknown = key(export_state, sovits_states, tmp_path / "out", "Atri")
    assert unknown == "engine.convert.unknown_size"
    generator, judge = export_state(sovits_states, tmp_path).paths
    judge.rename(tmp_path / "kept")
    assert key(import_checkpoint, generator, tmp_path / "s") == "engine.convert.no_pair"
    shutil.copy(generator, judge)
    assert key(import_checkpoint, generator, tmp_path / "s") == "engine.convert.no_checkpoint"
    (tmp_path / "kept").replace(judge)
    raw = torch.load(generator, weights_only=True)
    for damage in (
        lambda o: o["param_groups"].pop(),
        lambda o: o["state"][0].update(exp_avg=torch.zeros(1)),
        lambda o: o["state"].update({0: 3}),
    ):
        spoilt = {**raw, "optimizer": torch.load(generator, weights_only=True)["optimizer"]}
        damage(spoilt["optimizer"])
        torch.save(spoilt, generator)
        assert key(import_checkpoint, generator, tmp_path / "s") == "engine.convert.bad_optimizer"
        torch.save(raw, generator)
    assert not (tmp_path / "s").exists()


def test_groups_are_upstreams() -> None:
    names = list(Synthesizer(SOVITS).state_dict())
    sizes = [len(group) for group in upstream_optimizer._parameter_groups(names, frozen=True)]
    assert sum(sizes) == len(dict(Synthesizer(SOVITS).named_parameters()))
    assert sizes[1] == 1
    assert (
        sum(sizes) - sum(len(g) for g in upstream_optimizer._parameter_groups(names, frozen=False))
        == 2
    )


def test_the_command(sovits_states, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert command(convert, sovits_states, out, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["paths"] == [str(out / "G_120.pth"), str(out / "D_120.pth")]
    assert command(convert, out / "G_120.pth", tmp_path / "states") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "states" / "step-00000120")
