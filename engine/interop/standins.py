"""Inert classes for the few names, besides tensors, that GPT-SoVITS files pickle.

A stand-in only keeps what it is given. Every other name in a file is refused before anything
is built; see `container`.
"""

from __future__ import annotations

from typing import Any

# What torch's own restricted unpickler builds; a subset of what it would allow.
_TENSORS = frozenset(
    {
        "collections OrderedDict",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_parameter",
        "torch Size",
        *(
            f"torch {kind}Storage"
            for kind in (
                "Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte",
                "Bool",
            )
        ),
    }
)  # fmt: skip

# Upstream's trainer pickles its configuration as `utils.HParams`; Lightning checkpoints carry
# paths among the hyper-parameters.
_NAMES = (
    ("utils", "HParams"),
    ("pathlib", "PosixPath"),
    ("pathlib", "WindowsPath"),
    ("pathlib._local", "PosixPath"),
    ("pathlib._local", "WindowsPath"),
)
# Lightning's hyper-parameters themselves: a dict by another name.
_DICTS = (
    ("lightning.fabric.utilities.data", "AttributeDict"),
    ("lightning_fabric.utilities.data", "AttributeDict"),
    ("pytorch_lightning.utilities.parsing", "AttributeDict"),
)


class Standin:
    """Keeps attributes and items; does nothing with them. `path` is set where it is a path."""

    path = ""

    def __init__(self, *parts: str) -> None:
        self.path = "/".join(str(part) for part in parts).replace("//", "/")

    def __setitem__(self, key: Any, value: Any) -> None:
        self.__dict__[str(key)] = value


def _standin(module: str, name: str) -> type[Standin]:
    # torch finds an allowed class by its module and name, so the stand-in must bear both.
    return type(name, (Standin,), {"__module__": module, "__qualname__": name})


STANDINS: tuple[type | tuple[type, str], ...] = (
    *(_standin(module, name) for module, name in _NAMES),
    *((dict, f"{module}.{name}") for module, name in _DICTS),
)


def is_allowed(pickled_name: str) -> bool:
    """True for a name, written "module name" as pickle does, that may appear in a file."""
    parts = tuple(pickled_name.split(" ", 1))
    return pickled_name in _TENSORS or parts in _NAMES or parts in _DICTS
