"""bf16 and fp16 train too, and less memory means the same gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from micro_models import SOVITS
from micro_stage import Record, run_stage, weights
from micro_voice import (
    ALONE,
    CPU,
    SOVITS_PRO,
    TASKS,
    gpt_task,
    networks,
    sovits_task,
    with_speakers,
    without_dropout,
)

from benchmarks.synthetic import sovits_batch
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.runtime.checkpoint import CheckpointStore
from sovdeck.engine.runtime.device import Precision
from sovdeck.engine.training.batch_schedule import BatchSizes
from sovdeck.engine.training.features import TrainingClip
from sovdeck.engine.training.loss_scale import summed_loss_scale
from sovdeck.engine.training.sovits_task import (
    LEARNING_RATE,
    LEARNING_RATE_DECAY,
    SovitsSettings,
    SovitsTask,
)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("name", TASKS)
def test_half_formats_train_and_keep_float32_weights(
    name: str, precision: str, clips: list[TrainingClip], tmp_path: Path
) -> None:
    task = TASKS[name](clips, precision=precision)
    outcome = run_stage(task, tmp_path)
    assert outcome.updates == 2 * len(task.epoch_updates(1)) and outcome.weight_change > 0
    state = weights(task)
    assert {v.dtype for k, v in state.items() if k.startswith(".model")} == {torch.float32}
    assert all(value.isfinite().all() for value in state.values())
    again = TASKS[name](clips, precision=precision)
    again.load_state_dict(task.state_dict())  # the loss scale is part of the state
    assert weights(again).keys() == state.keys()


@pytest.mark.parametrize(("before", "after"), [("fp32", "fp16"), ("fp16", "fp32")])
def test_another_card_may_go_on_in_another_format(
    before: str, after: str, clips: list[TrainingClip], tmp_path: Path
) -> None:
    run_stage(gpt_task(clips, precision=before), tmp_path)
    task = gpt_task(clips, precision=after)
    outcome = run_stage(task, tmp_path, run="r2", **{"gpt.epochs": 3})
    assert outcome.updates == len(task.epoch_updates(1))


@pytest.mark.parametrize("name", TASKS)
def test_no_update_of_an_fp16_run_is_lost_to_the_first_scale(
    name: str, clips: list[TrainingClip], tmp_path: Path
) -> None:
    """torch halves the scale for each update that it skips."""
    task = TASKS[name](clips, precision="fp16")
    first = task.state_dict()["optimizer"]["scaler"]["scale"]
    run_stage(task, tmp_path)
    assert task.state_dict()["optimizer"]["scaler"]["scale"] >= first


@pytest.mark.parametrize("name", TASKS)
def test_skipped_updates_are_said_and_not_counted(
    name: str, clips: list[TrainingClip], tmp_path: Path
) -> None:
    task, record, passes = TASKS[name](clips, precision="fp16"), Record(), []
    model = networks(task)[0]

    def overflow_twice(gradient: torch.Tensor) -> torch.Tensor:
        passes.append(1)
        return gradient * float("inf") if len(passes) <= 2 else gradient

    next(p for p in model.parameters() if p.requires_grad).register_hook(overflow_twice)
    steps = 2 * len(task.epoch_updates(1))
    outcome = run_stage(task, tmp_path, record=record)
    said = [w for w in record.of("warning") if w["code"] == "engine.training.updates_skipped"]
    # The GPT adds up several passes to one update.
    skipped = steps - outcome.updates
    assert 1 <= skipped <= 2
    assert f"{skipped} in all" in said[-1]["message"]["en"]
    assert record.of("step")[-1]["step"] == steps
    assert record.of("stage_finished")[-1]["updates"] == outcome.updates
    state, _ = CheckpointStore(tmp_path / "states" / task.name).find_newest()
    assert state is not None
    assert state.facts["position"]["skipped"] == skipped


@pytest.mark.parametrize(
    ("targets", "scale"), [(1, 2.0**15), (484, 2.0**6), (5000, 4.0), (40_000, 0.5)]
)
def test_a_summed_loss_starts_with_a_small_scale(targets: int, scale: float) -> None:
    assert summed_loss_scale(targets) == scale


@pytest.mark.parametrize("config", [SovitsConfig.tiny(), SovitsConfig.tiny_pro()])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_the_first_losses_of_sovits_are_within_1_percent_of_float32(
    precision: str, config: SovitsConfig
) -> None:
    """Untrained, so that the wave is quiet and its mel bands are near their floor."""
    batch = sovits_batch(
        1,
        60,
        12,
        config.ssl_dim,
        config.inter_channels,
        config.speaker_numbers if config.takes_speaker else 0,
    )
    found: list[dict[str, float]] = []
    for name in ("fp32", precision):
        torch.manual_seed(1)
        networks = Synthesizer(config), Discriminator(config)
        for network in networks:
            without_dropout(network)
        number_format = Precision(name, "cpu")
        settings = SovitsSettings(BatchSizes(1))
        task = SovitsTask(*networks, [], settings, CPU, number_format, ALONE)
        losses: dict[str, torch.Tensor] = {}
        for phase in task.phases():
            losses.update(phase.compute([batch]))
        found.append({key: float(value) for key, value in losses.items()})
    exact, rounded = found
    assert exact["mel"] > 50
    assert rounded == {key: pytest.approx(value, rel=0.01) for key, value in exact.items()}


@pytest.mark.parametrize("name", TASKS)
def test_gradients_that_overflow_at_every_scale_end_the_run(
    name: str, clips: list[TrainingClip], tmp_path: Path
) -> None:
    """Losses stay finite and each update is skipped: without a word, nothing would be trained."""
    task = TASKS[name](clips, precision="fp16")
    model = networks(task)[0]
    start = weights(task)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.register_hook(lambda gradient: gradient * float("inf"))
    epochs = {f"{task.name}.epochs": 30}
    with pytest.raises(Problem) as problem:
        run_stage(task, tmp_path, **epochs)
    assert problem.value.key == "engine.training.no_scale"
    kept = {key: value for key, value in weights(task).items() if key.startswith(".model")}
    assert all(torch.equal(start[key], value) for key, value in kept.items())


@pytest.mark.parametrize("config", [SOVITS, SOVITS_PRO], ids=["v2", "v2Pro"])
def test_recomputed_activations_give_the_same_gradients(
    config: SovitsConfig, clips: list[TrainingClip]
) -> None:
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(1)
        generator, discriminator = Synthesizer(config), Discriminator(config)
        torch.manual_seed(2)
        task = SovitsTask(
            generator,
            discriminator,
            with_speakers(clips) if config.takes_speaker else clips,
            SovitsSettings(BatchSizes(2)),
            CPU,
            Precision("fp32", "cpu"),
            ALONE,
            gradient_checkpointing=recompute,
        )
        keys = set(task.generator.state_dict())
        batches = task.load_batches(1, 0, task.epoch_updates(1)[0])
        judge, imitate = task.phases()
        judge.compute(batches)
        imitate.compute(batches)
        gradients.append([p.grad for p in task.generator.parameters() if p.grad is not None])
        assert keys == set(Synthesizer(config).state_dict())
    assert len(gradients[0]) == len(gradients[1]) > 50
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*gradients, strict=True))


def test_rates_decay_once_an_epoch_and_text_learns_slower(clips: list[TrainingClip]) -> None:
    task = sovits_task(clips, text_lr_scale=0.25)
    task.set_learning_rate(1)
    rates = [group["lr"] for group in task.generator_optimizer.param_groups]
    assert rates == pytest.approx([LEARNING_RATE, *[LEARNING_RATE * 0.25] * 3])
    resumed = sovits_task(clips, text_lr_scale=0.25)
    resumed.load_state_dict(task.state_dict())
    for _ in range(2):  # however often an epoch is begun
        resumed.set_learning_rate(9)
    assert resumed.learning_rate == pytest.approx(LEARNING_RATE * LEARNING_RATE_DECAY**8)
    upstream = sovits_task(clips, schedule="upstream")
    upstream.set_learning_rate(1)
    assert upstream.learning_rate == pytest.approx(LEARNING_RATE * LEARNING_RATE_DECAY)


def test_the_discriminator_keeps_no_gradient_from_the_generators_step(
    clips: list[TrainingClip],
) -> None:
    task = sovits_task(clips)
    batches = task.load_batches(1, 0, task.epoch_updates(1)[0])
    judge, imitate = task.phases()
    judge.compute(batches)
    before = [p.grad.clone() for p in task.discriminator.parameters() if p.grad is not None]
    imitate.compute(batches)
    after = [p.grad for p in task.discriminator.parameters() if p.grad is not None]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(p.requires_grad for p in task.discriminator.parameters())
