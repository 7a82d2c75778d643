"""A CUDA graph made on a CPU: what a step did is noted operation by operation, then repeated.

A replay calls the same operations on the same tensors with the same numbers and puts results
where they were put first. So a number that changes from step to step, a shape that does, or a
tensor that lies elsewhere each time is wrong here as it would be on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

_ATEN = torch.ops.aten
# A GPU would have to be waited for, or the shape of the result hangs on values.
FORBIDDEN = {
    _ATEN._local_scalar_dense.default,
    _ATEN.nonzero.default,
    _ATEN.is_nonzero.default,
    _ATEN.masked_select.default,
    _ATEN.equal.default,
    _ATEN.unique_dim.default,
}


@dataclass
class Operation:
    func: Any
    args: Any
    kwargs: Any
    result: Any


class Tape(TorchDispatchMode):
    """The operations that were called inside."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with self:  # in inference mode, what is made of other operations comes here first
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        by_values = func is _ATEN.index.Tensor and any(
            index is not None and index.dtype is torch.bool for index in args[1]
        )
        assert func not in FORBIDDEN and not by_values, f"{func} makes the host wait"
        result = func(*args, **kwargs)
        self.operations.append(Operation(func, args, kwargs, result))
        return result

    def signature(self) -> list[tuple[Any, ...]]:
        """What a capture would burn in: operations, numbers, shapes, strides, addresses.

        Tensors that were made inside are named by who made them, all others by their address.
        """
        made: dict[int, tuple[int, int]] = {}
        found = []
        for number, one in enumerate(self.operations):
            inputs = [_describe(x, made) for x in tree_flatten((one.args, one.kwargs))[0]]
            found.append((str(one.func), *inputs))
            for place, out in enumerate(tree_flatten(one.result)[0]):
                if isinstance(out, Tensor) and not _aliases(one, out):
                    made[out.untyped_storage().data_ptr()] = (number, place)
        return found

    def replay(self) -> None:
        """Do it again."""
        for one in self.operations:
            again = one.func(*one.args, **one.kwargs)
            for new, old in zip(tree_flatten(again)[0], tree_flatten(one.result)[0], strict=True):
                if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def _describe(x: Any, made: dict[int, tuple[int, int]]) -> Any:
    if not isinstance(x, Tensor):
        return repr(x)
    storage = x.untyped_storage().data_ptr()
    where = made.get(storage, storage)
    return (where, x.storage_offset(), tuple(x.shape), x.stride(), str(x.dtype), str(x.device))


def _aliases(one: Operation, out: Tensor) -> bool:
    pointers = {
        x.untyped_storage().data_ptr()
        for x in tree_flatten((one.args, one.kwargs))[0]
        if isinstance(x, Tensor)
    }
    return out.untyped_storage().data_ptr() in pointers


class TapeCapture:
    """Stands in for `CudaCapture`; `tapes` holds what was captured."""

    def __init__(self) -> None:
        self.tapes: list[Tape] = []
        self.replays = 0

    def __call__(self, run: Callable[[], None], restore: Callable[[], None]) -> Callable[[], None]:
        for _ in range(3):
            run()
            restore()
        tape = Tape()
        with tape:
            run()
        restore()  # a GPU runs nothing while it captures
        self.tapes.append(tape)

        def replay() -> None:
            self.replays += 1
            tape.replay()

        return replay
