"""ScaledAdam (from the icefall recipes), as GPT-SoVITS uses it for the GPT (compat SPEC 5.5).

Adam whose step is proportional to each tensor's own size, plus a slow learned change of that
size. State is kept per tensor; upstream stacks equal shapes, which costs time and memory and
changes nothing in the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

# Tensors worked on at once: enough to hide launches on a GPU, few enough that temporaries
# stay small next to the model.
_TENSORS_PER_CHUNK = 16
# Numbers worked on at once on a CPU: parameter, gradient and both moments stay in the cache
# through all operations of an update, which memory would slow down.
_NUMBERS_PER_CHUNK = 1 << 17
# What torch's fused Adam takes, in the torch this was written against.
_FUSED_ARGUMENTS = (
    "self",
    "grads",
    "exp_avgs",
    "exp_avg_sqs",
    "max_exp_avg_sqs",
    "state_steps",
    "lr",
    "beta1",
    "beta2",
    "weight_decay",
    "eps",
    "amsgrad",
    "maximize",
    "grad_scale",
    "found_inf",
)


def fused_kernel(device: str, operators: Any = torch.ops.aten) -> Callable[..., Any] | None:
    """Return torch's fused Adam with its rate in a tensor; None where its schema is another.

    It is no public interface, and used on the CPU alone, where every test runs it.
    """
    kernel = getattr(getattr(operators, "_fused_adam_", None), "tensor_lr", None)
    if device != "cpu" or kernel is None:
        return None
    names = tuple(argument.name for argument in kernel._schema.arguments)
    return kernel if names == _FUSED_ARGUMENTS else None


@dataclass(frozen=True)
class _ParameterView:
    """A parameter, or a flat chunk of one, with its gradient and moments as views.

    Scalars: `rate`, its learning rate; `size_step`, the relative change of its size in this
    update.
    """

    p: Tensor
    g: Tensor
    delta: Tensor
    square: Tensor
    rate: Tensor
    size_step: Tensor | None

    def split(self, size: int) -> Iterator[_ParameterView]:
        """Flat views of at most `size` numbers."""
        tensors = (self.p, self.g, self.delta, self.square)
        views = (torch.split(tensor.view(-1), size) for tensor in tensors)
        for p, g, delta, square in zip(*views, strict=True):
            yield _ParameterView(p, g, delta, square, self.rate, self.size_step)


class ScaledAdam(torch.optim.Optimizer):
    """Optimiser with `lr` relative to each tensor's root mean square.

    clipping_scale: gradients above this many times the median norm of the last
        `clipping_update_period` updates count as outliers; no clipping before that many.
    clip_update: False, the default, repeats upstream, where clipping reaches only the size
        statistic and hardly matters. True also scales the gradient of the update itself.

    Counter, norms and threshold lie in each param group, so `state_dict` carries all.
    Parameters without a gradient count as having a zero gradient. An update never waits for
    its device.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 0.01,
        *,
        betas: tuple[float, float] = (0.9, 0.95),
        clipping_scale: float = 2.0,
        clipping_update_period: int = 1000,
        scalar_lr_scale: float = 0.1,
        eps: float = 1e-8,
        param_min_rms: float = 1e-5,
        param_max_rms: float = 3.0,
        scalar_max: float = 10.0,
        size_update_period: int = 4,
        clip_update: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "clipping_scale": clipping_scale,
                "clipping_update_period": clipping_update_period,
                "scalar_lr_scale": scalar_lr_scale,
                "eps": eps,
                "param_min_rms": param_min_rms,
                "param_max_rms": param_max_rms,
                "scalar_max": scalar_max,
                "size_update_period": size_update_period,
                "clip_update": clip_update,
                "step": 0,
                "norms": None,
                "threshold": None,
            },
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of every group; returns the closure's value."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.requires_grad]
            for p in params:
                if not self.state[p]:
                    self._init_state(p, group["size_update_period"])
            grads = [_gradient(p) for p in params]
            slot = group["step"] % group["size_update_period"]
            squares = []
            for p, g in zip(params, grads, strict=True):
                squares.append(torch.dot(g.view(-1), g.view(-1)))
                if p.numel() > 1:  # while the gradient is in the cache
                    self.state[p]["size_grads"][slot] = torch.dot(p.view(-1), g.view(-1))
            factor = self._clipping_factor(group, params, squares)
            tensors = [(p, g) for p, g in zip(params, grads, strict=True) if p.numel() > 1]
            scalars = [(p, g) for p, g in zip(params, grads, strict=True) if p.numel() == 1]
            for first in range(0, len(tensors), _TENSORS_PER_CHUNK):
                self._update_tensors(group, tensors[first : first + _TENSORS_PER_CHUNK], factor)
            if scalars:
                self._update_scalars(group, scalars, factor)
            group["step"] += 1
        return loss

    def _init_state(self, p: Tensor, size_update_period: int) -> None:
        if not p.is_contiguous():
            raise ValueError(f"a parameter of shape {tuple(p.shape)} has gaps in its memory")
        state = self.state[p]
        state["delta"] = torch.zeros_like(p)  # momentum, already in units of the parameter
        state["exp_avg_sq"] = torch.zeros_like(p)
        if p.numel() > 1:
            state["rms"] = _rms(p)
            state["size_grads"] = p.new_zeros(size_update_period)  # sum(p * g) of each step
            state["size_exp_avg_sq"] = p.new_zeros(())

    def _clipping_factor(
        self, group: dict[str, Any], params: list[Tensor], squares: list[Tensor]
    ) -> Tensor | None:
        """At most 1, or None; the norm weighs each gradient, given squared, with its tensor's size.

        Norms and threshold stay on the device: reading one would make a GPU wait.
        """
        k, period = group["step"], group["clipping_update_period"]
        if k == 0 or not squares:
            return None
        sizes = [self.state[p].get("rms", p.new_ones(())) for p in params]
        each = torch.stack(squares).sqrt() * torch.stack([size.reshape(()) for size in sizes])
        norm = each.norm()
        if group["norms"] is None:
            # Step 0 measures nothing; upstream's ring holds 0 there until it comes round.
            group["norms"] = norm.new_zeros(period)
        group["norms"][k % period] = norm
        if k % period == 0:
            middle = min(period - 1, period // 4 * 2)
            group["threshold"] = group["clipping_scale"] * group["norms"].sort().values[middle]
        if group["threshold"] is None:
            return None
        factor: Tensor = (group["threshold"] / (norm + 1e-20)).clamp(max=1.0)
        return factor

    def _update_tensors(
        self, group: dict[str, Any], pairs: list[tuple[Tensor, Tensor]], factor: Tensor | None
    ) -> None:
        states = [self.state[p] for p, _ in pairs]
        slot = group["step"] % group["size_update_period"]
        resize = slot == group["size_update_period"] - 1
        if factor is not None:
            for s in states:
                s["size_grads"][slot] *= factor
        sizes = [
            self._size_step(group, p, s) if resize else None
            for (p, _), s in zip(pairs, states, strict=True)
        ]
        scale = group["lr"] * (1 - group["betas"][0])
        rates = [s["rms"].clamp(min=group["param_min_rms"]) * scale for s in states]
        views = [
            _ParameterView(p, _clip(group, g, factor), s["delta"], s["exp_avg_sq"], rate, size)
            for (p, g), s, rate, size in zip(pairs, states, rates, sizes, strict=True)
        ]
        kernel = fused_kernel(pairs[0][0].device.type)
        if kernel is None:
            _update_foreach(group, views)
            return
        # Upstream stops correcting when it makes less than one per cent.
        count = group["step"] + 1 if _bias_correction(group) < 1 else 1e9
        steps = torch.full((), count, dtype=torch.float32)
        for view in views:
            for chunk in view.split(_NUMBERS_PER_CHUNK):
                _update_fused(group, chunk, kernel, steps)

    def _size_step(self, group: dict[str, Any], p: Tensor, state: dict[str, Any]) -> Tensor:
        """Relative change of the tensor's size, once every `size_update_period` updates."""
        period = group["size_update_period"]
        rate = group["lr"] * group["scalar_lr_scale"]
        decay = group["betas"][1] ** period
        rms = state["rms"].copy_(_rms(p))
        square = state["size_exp_avg_sq"]
        square.mul_(decay).add_(state["size_grads"].square().mean(), alpha=1 - decay)
        correction = 1 - decay ** ((group["step"] + 1) // period)
        step = -rate * correction**0.5 * state["size_grads"].sum() / (square.sqrt() + group["eps"])
        step = step.masked_fill(rms < group["param_min_rms"], 0.0)
        shrunk: Tensor = step.masked_fill(rms > group["param_max_rms"], -rate * period)
        return shrunk

    def _update_scalars(
        self, group: dict[str, Any], pairs: list[tuple[Tensor, Tensor]], factor: Tensor | None
    ) -> None:
        """Single-element tensors: plain Adam at `lr * scalar_lr_scale`, value kept in bounds."""
        beta1, beta2 = group["betas"]
        rate = group["lr"] * group["scalar_lr_scale"]
        correction = 1 - beta2 ** (group["step"] + 1)
        for p, grad in pairs:
            g = _clip(group, grad, factor)
            delta, square = self.state[p]["delta"], self.state[p]["exp_avg_sq"]
            square.mul_(beta2).addcmul_(g, g, value=1 - beta2)
            denominator = (square / correction).sqrt() + group["eps"]
            delta.mul_(beta1).add_(g / denominator, alpha=-rate * (1 - beta1))
            p.clamp_(-group["scalar_max"], group["scalar_max"]).add_(delta)


def _update_foreach(group: dict[str, Any], views: Sequence[_ParameterView]) -> None:
    """Momentum, second moment and the step itself of a few tensors, each operation on all."""
    beta1, beta2 = group["betas"]
    deltas, squares = [view.delta for view in views], [view.square for view in views]
    gradients = [view.g for view in views]
    torch._foreach_mul_(deltas, beta1)
    _add_size_steps(views, beta1)
    torch._foreach_mul_(squares, beta2)
    torch._foreach_addcmul_(squares, gradients, gradients, value=1 - beta2)
    denominators = torch._foreach_div(squares, _bias_correction(group))
    torch._foreach_sqrt_(denominators)
    torch._foreach_add_(denominators, group["eps"])
    steps = torch._foreach_div(gradients, denominators)
    for view, step in zip(views, steps, strict=True):
        view.delta.addcmul_(step, view.rate, value=-1)
    torch._foreach_add_([view.p for view in views], deltas)


def _update_fused(
    group: dict[str, Any], view: _ParameterView, kernel: Callable[..., Any], steps: Tensor
) -> None:
    """The same in one kernel: what fused Adam does to a parameter called delta.

    `delta -= rate * g / (sqrt(corrected square) + eps)`, its own momentum switched off.
    """
    beta1, beta2 = group["betas"]
    view.delta.mul_(beta1)
    _add_size_steps([view], beta1)
    kernel(
        [view.delta],
        [view.g],
        [view.g],
        [view.square],
        [],
        [steps],
        lr=view.rate,
        beta1=0.0,
        beta2=beta2,
        weight_decay=0.0,
        eps=group["eps"],
        amsgrad=False,
        maximize=False,
    )
    view.p.add_(view.delta)


def _add_size_steps(views: Sequence[_ParameterView], beta1: float) -> None:
    for view in views:
        if view.size_step is not None:
            view.delta.addcmul_(view.p, view.size_step, value=1 - beta1)


def _bias_correction(group: dict[str, Any]) -> float:
    """Of the second moment, which starts at zero; 1 once it makes less than one per cent."""
    correction = 1 - group["betas"][1] ** (group["step"] + 1)
    return float(correction) if correction < 0.99 else 1.0


def _clip(group: dict[str, Any], gradient: Tensor, factor: Tensor | None) -> Tensor:
    return gradient * factor if group["clip_update"] and factor is not None else gradient


def _gradient(p: Tensor) -> Tensor:
    return torch.zeros_like(p) if p.grad is None else p.grad.contiguous()


def _rms(p: Tensor) -> Tensor:
    flat = p.view(-1)
    rms: Tensor = (torch.dot(flat, flat) / p.numel()).sqrt()
    return rms
