"""AdamW states between our numbering of parameters and upstream's.

torch numbers parameters by their place in the optimiser's groups. Ours leave out the frozen
`ssl_proj`, which has two places at the end of upstream's first group (in v2Pro before the five
of the speaker vector). The four groups are otherwise the same: all
else, then each part of the text side (compat SPEC 3.10).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from sovdeck.engine.models.sovits.synthesizer import TEXT_SIDE_MODULES

_FROZEN = "ssl_proj."
_BUFFERS = "quantizer."
# What a torch of today expects in a group, should an older upstream's file lack it.
_DEFAULTS: dict[str, Any] = {
    "amsgrad": False,
    "maximize": False,
    "foreach": None,
    "capturable": False,
    "differentiable": False,
    "fused": None,
    "decoupled_weight_decay": True,
}


def to_upstream(state: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Our optimiser state as upstream would store it; `names` are the network's state keys."""
    ours, theirs = _parameter_groups(names, frozen=False), _parameter_groups(names, frozen=True)
    return _renumber(state, ours, theirs)


def from_upstream(state: Mapping[str, Any], weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Upstream's optimiser state in our numbering.

    ValueError when its groups are not those of this network or a moment has another shape.
    """
    names = list(weights)
    theirs, ours = _parameter_groups(names, frozen=True), _parameter_groups(names, frozen=False)
    moved = _renumber(state, theirs, ours)
    flat = [name for group in ours for name in group]
    for number, moments in moved["state"].items():
        for kind in ("exp_avg", "exp_avg_sq"):
            if moments[kind].shape != weights[flat[number]].shape:
                raise ValueError(f"its moments of {flat[number]} have another shape")
    for group in moved["param_groups"]:
        group["betas"] = tuple(group["betas"])
        for name, value in _DEFAULTS.items():
            group.setdefault(name, value)
    return moved


def _parameter_groups(names: Sequence[str], *, frozen: bool) -> list[list[str]]:
    """Parameter names group by group; one group only for a discriminator."""
    learnt = [
        n for n in names if not n.startswith(_BUFFERS) and (frozen or not n.startswith(_FROZEN))
    ]
    if learnt[0].startswith("discriminators."):
        return [learnt]
    text = [[n for n in learnt if n.startswith(part + ".")] for part in TEXT_SIDE_MODULES]
    taken = {n for group in text for n in group}
    return [[n for n in learnt if n not in taken], *text]


def _renumber(
    state: Mapping[str, Any], before: list[list[str]], after: list[list[str]]
) -> dict[str, Any]:
    sizes = [len(group["params"]) for group in state["param_groups"]]
    if sizes != [len(group) for group in before]:
        raise ValueError(f"its optimiser has groups of {sizes} parameters")
    old = [name for group in before for name in group]
    new = {name: number for number, name in enumerate(n for group in after for n in group)}
    moments = {
        new[old[number]]: dict(entry)
        for number, entry in state["state"].items()
        if old[number] in new
    }
    groups, first = [], 0
    for group, names in zip(state["param_groups"], after, strict=True):
        groups.append({**group, "params": list(range(first, first + len(names)))})
        first += len(names)
    return {"state": moments, "param_groups": groups}
