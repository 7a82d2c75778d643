"""ScaledAdam against upstream's figures, its resume, and its clipping switch."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gpt_fill import DATA, arr

from sovdeck.engine.training import scaled_adam
from sovdeck.engine.training.scaled_adam import ScaledAdam, fused_kernel

SHAPES = {"A": (3, 4), "B": (3, 4), "C": (5,), "s1": (1,), "s2": (1,), "D": (2, 3, 2)}


def parameters() -> dict[str, torch.nn.Parameter]:
    factor = {"C": 4.0}
    return {
        name: torch.nn.Parameter(arr("sa_" + name, *shape) * factor.get(name, 1.0))
        for name, shape in SHAPES.items()
    }


def set_gradients(params: dict[str, torch.nn.Parameter], step: int, factor: float = 1.0) -> None:
    for name, p in params.items():
        p.grad = arr(f"sa_grad_{name}_{step}", *SHAPES[name]) * factor


def set_upstream_rate(optimizer: ScaledAdam) -> None:
    """Upstream sets 0.002 after every update; its very first uses the optimiser's own 0.01."""
    for group in optimizer.param_groups:
        group["lr"] = 0.002


def run(
    params: dict[str, torch.nn.Parameter], optimizer: ScaledAdam, steps: range, outlier: int = -1
) -> None:
    for step in steps:
        set_gradients(params, step, 50.0 if step == outlier else 1.0)
        optimizer.step()
        set_upstream_rate(optimizer)


def test_upstreams_first_step() -> None:
    params = parameters()
    run(params, ScaledAdam(params.values()), range(1))
    assert params["A"].flatten()[:4].tolist() == pytest.approx(
        [-1.3453526, 0.31763804, -0.1572866, -0.11153407], rel=2e-5
    )


@pytest.mark.parametrize(("name", "period"), [("p1000", 1000), ("p4", 4)])
def test_golden_runs(name: str, period: int) -> None:
    golden = np.load(DATA / "golden/scaled_adam.npz")
    params = parameters()
    optimizer = ScaledAdam(params.values(), clipping_update_period=period)
    compared = 0
    for step in range(12):
        assert optimizer.param_groups[0]["lr"] == golden[f"{name}_lr_used"][step]
        set_gradients(params, step, 50.0 if name == "p4" and step == 9 else 1.0)
        optimizer.step()
        set_upstream_rate(optimizer)
        for key, p in params.items():
            expected = f"{name}_{key}_after{step + 1}"
            if expected in golden:
                np.testing.assert_allclose(p.detach(), golden[expected], rtol=2e-5, atol=1e-7)
                compared += 1
    assert compared == 5 * len(SHAPES)


def test_a_saved_state_goes_on_bit_for_bit(tmp_path) -> None:
    straight = parameters()
    run(straight, ScaledAdam(straight.values(), clipping_update_period=4), range(12), outlier=9)
    params = parameters()
    optimizer = ScaledAdam(params.values(), clipping_update_period=4)
    run(params, optimizer, range(7))
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pt")

    again = {name: torch.nn.Parameter(p.detach().clone()) for name, p in params.items()}
    resumed = ScaledAdam(again.values())
    resumed.load_state_dict(torch.load(tmp_path / "optimizer.pt", weights_only=True))
    run(again, resumed, range(7, 12), outlier=9)
    for name, p in straight.items():
        assert torch.equal(p, again[name]), name


def test_loss_scale_does_not_matter() -> None:
    ends = []
    for factor in (1.0, 5.0):
        params = parameters()
        optimizer = ScaledAdam(params.values())
        for step in range(8):
            set_gradients(params, step, factor)
            optimizer.step()
        ends.append(params["D"].detach().clone())
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-6, atol=1e-6)


def moved_by_outlier(clip_update: bool) -> float:
    """How far an outlier gradient at update 9 carries a tensor, against a normal one."""
    ends = []
    for outlier in (-1, 9):
        params = parameters()
        optimizer = ScaledAdam(params.values(), clipping_update_period=4, clip_update=clip_update)
        run(params, optimizer, range(10), outlier)
        ends.append(copy.deepcopy(params["D"].detach()))
    return (ends[0] - ends[1]).norm().item()


def test_clipping_reaches_the_update_only_when_asked() -> None:
    assert moved_by_outlier(clip_update=True) < 0.8 * moved_by_outlier(clip_update=False)


def test_a_parameter_without_gradient_counts_as_zero() -> None:
    params = parameters()
    zeros = parameters()
    first, second = ScaledAdam(params.values()), ScaledAdam(zeros.values())
    for step in range(5):
        set_gradients(params, step)
        set_gradients(zeros, step)
        params["B"].grad = None
        zeros["B"].grad = torch.zeros(3, 4)
        first.step()
        second.step()
    assert torch.equal(params["B"], zeros["B"])


def test_sizes_stay_in_bounds() -> None:
    huge = torch.nn.Parameter(torch.full((4, 4), 5.0))
    scalar = torch.nn.Parameter(torch.tensor([25.0]))
    optimizer = ScaledAdam([huge, scalar], lr=0.01)
    for _ in range(40):
        huge.grad = torch.full((4, 4), 1e-6)
        scalar.grad = torch.tensor([-1.0])
        optimizer.step()
    assert huge.abs().mean() < 5.0
    assert scalar.item() <= 10.0 + 0.01


class Kernels:
    """Stands for `torch.ops.aten` with a fused kernel that takes these arguments."""

    def __init__(self, names: tuple[str, ...]) -> None:
        schema = SimpleNamespace(arguments=[SimpleNamespace(name=name) for name in names])
        self._fused_adam_ = SimpleNamespace(tensor_lr=SimpleNamespace(_schema=schema))


def test_the_fused_kernel_is_taken_only_where_it_is_the_known_one() -> None:
    assert fused_kernel("cpu") is not None, "this torch has it"
    assert fused_kernel("cuda") is None, "never run where no test runs it"
    names = tuple(a.name for a in torch.ops.aten._fused_adam_.tensor_lr._schema.arguments)
    assert fused_kernel("cpu", Kernels(names)) is not None
    assert fused_kernel("cpu", Kernels((*names, "fresh"))) is None
    assert fused_kernel("cpu", Kernels(tuple(reversed(names)))) is None
    assert fused_kernel("cpu", SimpleNamespace(_fused_adam_=object())) is None
    assert fused_kernel("cpu", SimpleNamespace()) is None


@pytest.mark.parametrize("clip_update", [False, True])
def test_both_ways_of_moving_give_the_same(
    clip_update: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way a GPU goes, run here: past bias correction, size changes and clipping."""
    ends = []
    for kernel in (fused_kernel, lambda device: None):
        monkeypatch.setattr(scaled_adam, "fused_kernel", kernel)
        params = parameters()
        optimizer = ScaledAdam(params.values(), clipping_update_period=8, clip_update=clip_update)
        run(params, optimizer, range(100), outlier=90)
        ends.append(params)
    for name, p in ends[0].items():
        torch.testing.assert_close(p, ends[1][name], rtol=1e-4, atol=1e-6)
        assert not torch.equal(p.detach(), arr("sa_" + name, *SHAPES[name]))
