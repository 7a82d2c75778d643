"""Inert classes for the few names, besides tensors, that GPT-SoVITS files pickle.

A stub only keeps what it is given. Every other name in a file is refused before anything is
built; see `safe_load`.
"""

from __future__ import annotations

from typing import Any

# What torch's own restricted unpickler builds; a subset of what it would allow.
_TENSOR_GLOBALS = frozenset(
    {
        "collections OrderedDict",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_parameter",
        "torch Size",
        *(
            f"torch {kind}Storage"
            for kind in (
                "Double",
                "Float",
                "Half",
                "BFloat16",
                "Long",
                "Int",
                "Short",
                "Char",
                "Byte",
                "Bool",
            )
        ),
    }
)

# Upstream's trainer pickles its configuration as `utils.HParams`; Lightning checkpoints carry
# paths among the hyper-parameters.
_STUBBED_GLOBALS = (
    ("utils", "HParams"),
    ("pathlib", "PosixPath"),
    ("pathlib", "WindowsPath"),
    ("pathlib._local", "PosixPath"),
    ("pathlib._local", "WindowsPath"),
)
# The hyper-parameters of Lightning: a subclass of dict.
_DICT_GLOBALS = (
    ("lightning.fabric.utilities.data", "AttributeDict"),
    ("lightning_fabric.utilities.data", "AttributeDict"),
    ("pytorch_lightning.utilities.parsing", "AttributeDict"),
)


class PickleStub:
    """Keeps attributes and items and does nothing with them; `path` is set for a pickled path."""

    path = ""

    def __init__(self, *parts: str) -> None:
        self.path = "/".join(str(part) for part in parts).replace("//", "/")

    def __setitem__(self, key: Any, value: Any) -> None:
        self.__dict__[str(key)] = value


def _make_stub(module: str, name: str) -> type[PickleStub]:
    # torch finds an allowed class by its module and name, so the stub must have both.
    return type(name, (PickleStub,), {"__module__": module, "__qualname__": name})


PICKLE_STUBS: tuple[type | tuple[type, str], ...] = (
    *(_make_stub(module, name) for module, name in _STUBBED_GLOBALS),
    *((dict, f"{module}.{name}") for module, name in _DICT_GLOBALS),
)


def is_allowed_global(pickled_name: str) -> bool:
    """True for a name, written "module name" as pickle does, that may appear in a file."""
    parts = tuple(pickled_name.split(" ", 1))
    return pickled_name in _TENSOR_GLOBALS or parts in _STUBBED_GLOBALS or parts in _DICT_GLOBALS
