"""`sovdeck train` and the dashboard's form ask for the same run with the same words."""

from __future__ import annotations

import argparse
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.remote.config.sections import TrainSection
from sovdeck.tui.cli.commands.train import make_spec
from sovdeck.tui.services.live import training as training_service
from sovdeck.tui.services.live.training import LiveTraining
from sovdeck.tui.state.models import TrainDraft

TOML = TrainSection(voice="Mei", preset="v2", params={"gpt.dpo": "off"}, proof_text="早。")


def make_session(train: TrainSection = TOML, *, deployed: bool = True) -> Any:
    there = SimpleNamespace(layout=Layout.at("/work")) if deployed else None
    session = SimpleNamespace(started=[])
    session.config = SimpleNamespace(train=train)
    session.find_deployment = lambda: there

    def start(spec: RunSpec, **options: Any) -> Any:
        session.started.append(spec)
        raise Problem("remote.config.not_deployed", 2, name="box")  # type: ignore[arg-type]

    session.start = start
    return session


def by_command(session: Any, preset: str | None, *settings: str, **options: Any) -> RunSpec:
    given = {"voice": None, "run": None, "from_nothing": False, **options}
    return make_spec(session, argparse.Namespace(preset=preset, params=list(settings), **given))


def by_form(session: Any, draft: TrainDraft) -> RunSpec:
    connections = SimpleNamespace(session=lambda server: session)
    training = LiveTraining(connections, None, None)  # type: ignore[arg-type]
    # What the server lacks is looked for before a run is started; here only its spec counts.
    with mock.patch.object(training_service, "require_ready"), pytest.raises(Problem):
        training.start(draft, lambda event: None, None)  # type: ignore[arg-type]
    spec: RunSpec = session.started[-1]
    return spec


@pytest.mark.parametrize("preset", ["v2", "v2Pro", "tiny", "tinyPro", "auto"])
def test_both_ask_for_the_same_run(preset: str) -> None:
    session = make_session()
    typed = by_command(session, preset, "gpt.epochs=9")
    filled = by_form(session, TrainDraft("box", "Mei", preset, {"gpt.dpo": False, "gpt.epochs": 9}))
    assert replace(typed, run="r") == replace(filled, run="r")
    assert typed.pretrained == (None if preset.startswith("tiny") else "v2")
    assert (typed.list_file, typed.wav_folder) == ("data/Mei/Mei.list", "data/Mei/wavs")
    assert typed.proof_text == "早。" and typed.settings.gpt.dpo is False


def test_a_run_that_is_there_goes_on_with_its_own_options() -> None:
    session = make_session()
    started = RunSpec("one", "Ben", "tiny", params={"gpt.epochs": 3})
    session.layout = lambda: Layout.at("/work")
    read: list[list[str]] = []

    def run(argv: list[str]) -> Any:
        read.append(argv)
        return SimpleNamespace(code=0, out=started.to_json().encode())

    session.connection = lambda: SimpleNamespace(run=run)
    assert by_command(session, None, run="one") == started
    assert by_command(session, None, run="one", voice="Ben") == started
    assert read[0] == ["cat", "/work/runs/one/spec.json"]
    # Other options are another run, and the server will say so.
    assert by_command(session, None, run="one", voice="Mei").voice == "Mei"
    assert by_command(session, "v2", run="one").preset == "v2"


def test_what_is_not_deployed_can_be_planned_and_a_bad_name_cannot() -> None:
    assert by_command(make_session(deployed=False), None).list_file == ""
    assert by_command(make_session(), None, from_nothing=True).pretrained is None
    with pytest.raises(Problem, match="cannot name a voice"):
        by_command(make_session(), None, voice="a/b")
    with pytest.raises(Problem, match="cannot name a voice"):
        by_command(make_session(), None, voice="CON")
