"""Every training parameter, from every source and in every spelling, to what reads it.

The sources are deploy.toml, `--set`, the dashboard's form and spec.json. What reads them are the
optimiser, the loop, the prepare and pack stages: each is stopped where it has got its settings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import tomlkit
from micro_stage import Record
from micro_voice import CPU, GPT, SOVITS, make_clips
from setting_spellings import as_text, bad_spellings, good_spellings

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.param import Param
from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.settings import TRAIN_GROUPS, parse_train_options
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.contract.updates import auto_batch_size, fixed_repeats
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.prepare import pipeline
from sovdeck.engine.runs import run, stages
from sovdeck.engine.runtime.device import Device
from sovdeck.engine.runtime.signals import StopFlag
from sovdeck.engine.training import builders, sovits_task, stage
from sovdeck.engine.training.context import RunContext
from sovdeck.engine.training.features import Features
from sovdeck.engine.training.gpt_task import GptTask
from sovdeck.engine.training.sovits_task import SovitsTask
from sovdeck.remote.config.load import load_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.tui.widgets.param_field import ParamField

CLIPS = 6
TRAINING = [param for param in PARAMS.values() if param.group in TRAIN_GROUPS]
Source = Callable[[Param, Any, Path], RunSpec | None]


def from_toml(param: Param, value: Any, folder: Path) -> RunSpec | None:
    try:
        text = tomlkit.dumps({"train": {"params": {param.name: value}}})
    except (TypeError, ValueError):
        return None  # TOML cannot say it
    (folder / "deploy.toml").write_text(text, encoding="utf-8")
    config = load_config(folder / "deploy.toml", AppPaths.below(folder))
    return RunSpec("r1", "micro", "tiny", params=config.train.params)


def from_option(param: Param, value: Any, folder: Path) -> RunSpec | None:
    text = as_text(value)
    if text is None:
        return None
    return RunSpec("r1", "micro", "tiny", params=parse_train_options([f"{param.name}={text}"]))


def from_form(param: Param, value: Any, folder: Path) -> RunSpec | None:
    text = as_text(value)
    if text is None:
        return None
    field = ParamField(param)
    with mock.patch.multiple(
        field, query_one=mock.DEFAULT, post_message=mock.DEFAULT, _note=mock.DEFAULT
    ):
        field._set_from_text(text)
    if field.problem is not None:
        raise field.problem
    return RunSpec("r1", "micro", "tiny", params={param.name: field.value})


def from_spec_json(param: Param, value: Any, folder: Path) -> RunSpec | None:
    fields = {"version": 1, "run": "r1", "voice": "micro", "preset": "tiny"}
    return RunSpec.from_json(json.dumps({**fields, "params": {param.name: value}}))


SOURCES: tuple[Source, ...] = (from_toml, from_option, from_form, from_spec_json)


class Reached(Exception):
    """The consumer has what it needs; nothing is trained."""


def stop_here(*_: Any, **__: Any) -> None:
    raise Reached


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Features:
    folder = tmp_path_factory.mktemp("micro")
    return Features(folder, tuple(make_clips(folder, CLIPS)), "digest")


@pytest.mark.parametrize("param", TRAINING, ids=lambda param: param.name)
def test_what_was_asked_for_is_what_trains(
    param: Param, tmp_path: Path, features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, (converted, spellings) in enumerate(good_spellings(param)):
        specs = [source(param, one, tmp_path) for one in spellings for source in SOURCES]
        made = [spec for spec in specs if spec is not None]
        assert len(made) >= len(SOURCES) - (param.kind == "paths")
        assert all(spec.settings == made[0].settings for spec in made)
        assert made[0].settings.as_params()[param.name] == converted
        assert type(made[0].settings.as_params()[param.name]) is type(converted)
        with monkeypatch.context() as patch:
            got = CONSUMERS[param.group](made[0], features, tmp_path / str(number), patch)
        assert got[param.name] == READ_AS.get(param.name, lambda value: value)(converted)


@pytest.mark.parametrize("param", TRAINING, ids=lambda param: param.name)
@pytest.mark.parametrize("source", SOURCES)
def test_what_does_not_convert_is_one_sentence(
    param: Param, source: Source, tmp_path: Path
) -> None:
    for value in bad_spellings(param):
        if isinstance(value, str) and "\0" in value and source is from_toml:
            continue  # TOML has no NUL
        try:
            spec = source(param, value, tmp_path)
        except Problem as problem:
            said = problem.sentence("en")
            assert param.name in said and len(said) < 500
            if source is from_toml:
                assert re.search(r"deploy\.toml:[12]: train\.params\.", said)
        else:
            assert spec is None, (value, spec)


def _auto_batch(stage: str) -> int:
    return auto_batch_size(stage, CLIPS, None, 1)


# What a consumer holds, for what was asked: only where the two are not the same words.
READ_AS: dict[str, Callable[[Any], Any]] = {
    "text.reading": lambda value: value == "upstream",
    "sovits.keep_resume": lambda value: value == "all",
    "gpt.keep_resume": lambda value: value == "all",
    "train.save_every_minutes": lambda value: 60.0 * value,
    "sovits.batch_size": lambda value: _auto_batch("sovits") if value == "auto" else value,
    "gpt.batch_size": lambda value: _auto_batch("gpt") if value == "auto" else value,
    "train.repeats": lambda value: fixed_repeats(CLIPS, value),
}


def consume_sovits(
    spec: RunSpec, features: Features, work: Path, patch: pytest.MonkeyPatch
) -> dict[str, Any]:
    checkpointed: list[Any] = []
    patch.setattr(sovits_task, "enable_gradient_checkpointing", checkpointed.append)
    initial = mock.Mock(
        build_synthesizer=lambda: Synthesizer(SOVITS),
        build_discriminator=lambda: Discriminator(SOVITS),
        sovits_config=SOVITS,
        identity="micro",
    )
    patch.setattr(builders.validation, "sovits_metrics", lambda *_: {"mel": 1.0})
    context = make_context(spec, work, patch)
    built = builders.build_sovits_stage(context, initial, features)
    got = consume_stage(built, "sovits", patch)
    task = built._hooks.task
    assert isinstance(task, SovitsTask)
    rates = {group["lr"] for group in task.generator_optimizer.param_groups}
    return {
        **got,
        "sovits.text_lr_scale": pytest.approx(min(rates) / max(rates)),
        "sovits.grad_checkpoint": bool(checkpointed),
    }


def consume_gpt(
    spec: RunSpec, features: Features, work: Path, patch: pytest.MonkeyPatch
) -> dict[str, Any]:
    initial = mock.Mock(
        build_text2semantic=lambda: Text2Semantic(GPT), sovits_config=SOVITS, identity="micro"
    )
    patch.setattr(builders.validation, "gpt_metrics", lambda *_: {"cross_entropy": 1.0})
    context = make_context(spec, work, patch)
    built = builders.build_gpt_stage(context, initial, features, lambda *_: 1.0)
    got = consume_stage(built, "gpt", patch)
    task = built._hooks.task
    assert isinstance(task, GptTask)
    return {**got, "gpt.dpo": task.settings.dpo}


def make_context(spec: RunSpec, work: Path, patch: pytest.MonkeyPatch) -> RunContext:
    # A batch of 64 would need hundreds of clips; what is too large is refused in another test.
    patch.setattr(builders, "check_batch", lambda *_: None)
    patch.setattr(builders, "gpt_batch_size", lambda batch, _: batch)
    return RunContext(spec, Layout.at(work.as_posix()), Record(), StopFlag(), CPU)


def consume_stage(
    built: stage.TrainingStage, name: str, patch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """What the optimiser's task and the loop got of a stage that is about to train."""
    resume, loop = mock.Mock(return_value=None), mock.Mock(side_effect=Reached)
    patch.setattr(stage.resume, "choose_resume_point", resume)
    patch.setattr(stage, "train", loop)
    with pytest.raises(Reached):
        built.run()
    task, loop_settings = built._hooks.task, loop.call_args.args[1]
    assert isinstance(task, (SovitsTask, GptTask))
    return {
        f"{name}.batch_size": loop_settings.batch_size,
        f"{name}.epochs": loop_settings.epochs,
        f"{name}.keep_resume": built._checkpoints._keep_all,
        f"{name}.export_each_save": built._export_each_save,
        f"{name}.save_every_epochs": built._save_every_epochs,
        "train.precision": task._precision.name,
        "train.schedule": task.settings.schedule,
        "train.repeats": task.settings.repeats,
        "train.save_every_minutes": built._save_interval_s,
        "train.seed": task.settings.seed,
        "train.on_oom": loop_settings.on_oom,
        "train.on_change": resume.call_args.args[3],
    }


def consume_run(
    spec: RunSpec, features: Features, work: Path, patch: pytest.MonkeyPatch
) -> dict[str, Any]:
    gpus, device, determinism = mock.Mock(), mock.Mock(), mock.Mock()
    patch.setattr(run, "set_visible_gpus", gpus)
    patch.setattr(run, "prepare_determinism", determinism)
    patch.setattr(run, "check_gpus_exist", lambda *_: None)
    patch.setattr(run, "choose_device", device)
    run._choose_device(spec)
    patch.setattr(
        builders,
        "choose_precision",
        lambda wanted, _: SimpleNamespace(name=wanted, needs_loss_scaling=False),
    )
    return {
        "train.deterministic": determinism.call_args.args[0],
        **consume_sovits(spec, features, work, patch),
        "train.device": device.call_args.args[0],
        "train.gpus": gpus.call_args.args[0] if gpus.called else None,
    }


def consume_text(
    spec: RunSpec, features: Features, work: Path, patch: pytest.MonkeyPatch
) -> dict[str, Any]:
    preparer = mock.Mock(side_effect=Reached)
    patch.setattr(pipeline, "_ItemPreparer", preparer)
    patch.setattr(pipeline, "find_or_gather_list", mock.Mock())
    patch.setattr(pipeline, "check_list", mock.MagicMock())
    patch.setattr(pipeline, "open_polyphones", lambda *_: (None, None))
    with pytest.raises(Reached):
        pipeline.prepare(
            spec,
            Layout.at(work.as_posix()),
            encoders=mock.Mock(),
            synthesizer=mock.Mock(),
            emit=Record(),
        )
    return {"text.reading": preparer.call_args.kwargs["as_upstream"]}


def consume_pack(
    spec: RunSpec, features: Features, work: Path, patch: pytest.MonkeyPatch
) -> dict[str, Any]:
    pack = mock.Mock(side_effect=Reached)
    patch.setattr(stages, "pack_voice", pack)
    context = RunContext(spec, Layout.at(work.as_posix()), Record(), StopFlag(), CPU)
    with pytest.raises(Reached):
        stages._run_pack(context, mock.Mock())
    return {"pack.contents": pack.call_args.args[2]}


CONSUMERS: dict[str, Callable[..., dict[str, Any]]] = {
    "text": consume_text,
    "sovits": consume_sovits,
    "gpt": consume_gpt,
    "train": consume_run,
    "pack": consume_pack,
}


@pytest.mark.parametrize("wanted", [False, True])
def test_a_stage_on_a_gpu_rounds_and_sums_as_was_asked(
    wanted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = mock.Mock()
    monkeypatch.setattr(builders, "set_arithmetic", asked)
    monkeypatch.setattr(builders, "choose_precision", lambda wanted, _: wanted)
    spec = RunSpec("r1", "micro", "tiny", params={"train.deterministic": wanted})
    for kind in ("cpu", "cuda"):
        device = Device(kind, "card", 1 << 34)
        builders._choose_precision(
            RunContext(spec, Layout.at(tmp_path.as_posix()), Record(), StopFlag(), device)
        )
    asked.assert_called_once_with(wanted)
