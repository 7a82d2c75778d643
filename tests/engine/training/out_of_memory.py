"""Memory that runs out where a test wants it to."""

from __future__ import annotations

from typing import Any

import torch


def starve(model: torch.nn.Module, largest: int, calls: list[int]) -> None:
    """Let `model` run out of memory on more than `largest` clips at once."""
    plain = model.forward

    def forward(first: torch.Tensor, *rest: Any, **options: Any) -> Any:
        calls.append(len(first))
        if len(first) > largest:
            raise torch.OutOfMemoryError("CUDA out of memory (injected)")
        return plain(first, *rest, **options)

    model.forward = forward


def tear(task: Any, which: str, epoch: int, update: int) -> None:
    """Let the step of one update move every second weight and then run out of memory, once."""
    optimizer = task.optimizer if which == "gpt" else getattr(task, f"{which}_optimizer")
    begin, plain = task.set_learning_rate, optimizer.step
    epochs: list[int] = []
    steps: list[int] = []

    def set_learning_rate(number: int) -> None:
        begin(number)
        epochs.append(number)

    def step(*given: Any, **options: Any) -> Any:
        # Counted in this epoch: loss scaling skips steps of the first one.
        steps.extend([1] if epochs[-1] == epoch else [])
        if len(steps) != update or epochs[-1] != epoch:
            return plain(*given, **options)
        for group in optimizer.param_groups:
            for parameter in group["params"][::2]:
                parameter.grad = None
        plain(*given, **options)
        raise torch.OutOfMemoryError("CUDA out of memory (injected)")

    task.set_learning_rate, optimizer.step = set_learning_rate, step


def starve_once(task: Any, which: str, epoch: int) -> None:
    """Run out of memory in the first pass of an epoch, before anything has moved."""
    model = task.model if which == "gpt" else task.generator
    begin, plain, hungry = task.set_learning_rate, model.forward, []

    def set_learning_rate(number: int) -> None:
        begin(number)
        hungry.extend([1] if number == epoch else [])

    def forward(*inputs: Any, **options: Any) -> Any:
        if hungry:
            hungry.pop()
            raise torch.OutOfMemoryError("CUDA out of memory (injected)")
        return plain(*inputs, **options)

    task.set_learning_rate, model.forward = set_learning_rate, forward
