"""GPT-SoVITS's own checkpoints of every version: read for what they are, and gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from interop_micro import micro

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.models.sovits.config import VERSIONS, SovitsConfig
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.runtime.checkpoint import CheckpointStore
from sovdeck.engine.training import upstream_optimizer
from sovdeck.engine.training.resume import choose_resume_point
from sovdeck.engine.training.upstream_states import import_checkpoint

LATEST = 233333333333


def stepped(optimizer: torch.optim.Optimizer, times: int) -> dict[str, Any]:
    for _ in range(times):
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    return optimizer.state_dict()


def write_pair(folder: Path, version: str, step: int = LATEST, discriminator: str = "") -> Path:
    """G and D as upstream's trainer leaves them: no configuration, the latest one replaced."""
    config = micro(version)
    torch.manual_seed(0)
    generator, judge = Synthesizer(config), Discriminator(micro(discriminator or version))
    for letter, model in (("G", generator), ("D", judge)):
        groups: Any = model.parameters()
        if letter == "G":
            groups = generator.parameter_groups(1e-4, 0.4)
        adam = torch.optim.AdamW(groups, 1e-4, betas=(0.8, 0.99), eps=1e-9)
        state = upstream_optimizer.to_upstream(stepped(adam, 3), list(model.state_dict()))
        content = {
            "model": model.state_dict(),
            "iteration": 4,
            "optimizer": state,
            "learning_rate": 1e-4,
            # A micro network is of no version's size, so it must say its own.
            "config": model.config.to_upstream() if letter == "G" else config.to_upstream(),
        }
        torch.save(content, folder / f"{letter}_{step}.pth")
    return folder / f"G_{step}.pth"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_placeholder_is_no_number_and_nothing_counts_as_changed(
    version: str, tmp_path: Path
) -> None:
    import_checkpoint(write_pair(tmp_path, version), tmp_path / "states")
    state, faults = CheckpointStore(tmp_path / "states").find_newest()
    assert state is not None and not faults
    assert state.step == 3, "as often as AdamW has stepped"
    run = {"dataset": "d", "base": "b", "preset": version, "schedule": "fixed", "seed": 1234}
    run |= {"gpus": 1, "text_lr_scale": 0.4, "batch_size": 4, "repeats": 6}
    point = choose_resume_point(state, False, run, "stop", "sovits")
    assert point is not None and point.changed == ()
    assert (point.position.epoch, point.position.index, point.position.step) == (5, 0, 3)
    assert (
        state.load("model")["dec.conv_pre.weight"].shape[0]
        == micro(version).upsample_initial_channel
    )


def test_a_step_that_is_named_is_kept(tmp_path: Path) -> None:
    import_checkpoint(write_pair(tmp_path, "v2Pro", step=88), tmp_path / "states")
    state, _ = CheckpointStore(tmp_path / "states").find_newest()
    assert state is not None and state.step == 88


def test_a_pair_of_two_versions_is_refused(tmp_path: Path) -> None:
    generator = write_pair(tmp_path, "v2Pro", discriminator="v2")
    with pytest.raises(Problem) as caught:
        import_checkpoint(generator, tmp_path / "states")
    assert caught.value.key == "engine.convert.no_checkpoint"
    assert not (tmp_path / "states").exists()


def test_a_state_goes_where_a_run_of_its_version_looks(tmp_path: Path) -> None:
    """In v2's folder a v2Pro run would not find it, and would start over in silence."""
    generator, logs = write_pair(tmp_path, "v2Pro"), tmp_path / "logs" / "Mei"
    with pytest.raises(Problem) as caught:
        import_checkpoint(generator, logs / "states" / "sovits")
    assert caught.value.key == "engine.convert.other_version"
    assert caught.value.facts["target"] == str(logs / "states_v2Pro" / "sovits")
    assert not logs.exists()
    import_checkpoint(generator, logs / "states_v2Pro" / "sovits")
    assert (logs / "states_v2Pro" / "sovits" / "step-00000003").is_dir()


@pytest.mark.parametrize("version", ["v2Pro", "v2ProPlus"])
def test_groups_are_upstreams_for_v2pro(version: str) -> None:
    """654, 1, 108 and 14 parameters; the frozen projection before the speaker's five."""
    with torch.device("meta"):
        names = list(Synthesizer(SovitsConfig.of(version)).state_dict())
    groups = upstream_optimizer._parameter_groups(names, frozen=True)
    assert [len(group) for group in groups] == [654, 1, 108, 14]
    assert groups[0][647:] == [
        "ssl_proj.weight",
        "ssl_proj.bias",
        "sv_emb.weight",
        "sv_emb.bias",
        "ge_to512.weight",
        "ge_to512.bias",
        "prelu.weight",
    ]
