"""The demo fails loudly for each promise that is not kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sovdeck.engine.contract.fold import RunState, StageState
from sovdeck.tui.cli.demo.checks import DemoResult, DemoVoice, failed_checks

VOICE = DemoVoice(
    "Demo.zip", 10, "ab", True, ("GPT_weights/Demo/Demo-e2.ckpt", "SoVITS_weights/Demo/a.pth")
)
STAGES = tuple(
    StageState(name, state="finished", updates=4, first_loss=9.0, last_loss=5.0)
    for name in ("sovits", "gpt")
)
GOOD = RunState(run="r", seq=9, stages=STAGES, status="succeeded", exit_code=0)


def test_a_kept_promise_is_silent() -> None:
    assert failed_checks(GOOD, "succeeded", VOICE, 1.0, 0) == ()
    outcome = DemoResult(GOOD, "succeeded", 12.34, VOICE, "proof.wav", 0)
    record = outcome.as_json()
    assert record["status"] == "succeeded" and record["seconds"] == 12.3
    assert record["stages"][0] == {
        "name": "sovits",
        "updates": 4,
        "first_loss": 9.0,
        "last_loss": 5.0,
    }


RISING = (replace(STAGES[0], last_loss=9.5), STAGES[1])
IDLE = (STAGES[0], replace(STAGES[1], updates=0))


@pytest.mark.parametrize(
    ("name", "state", "job", "voice", "proof", "uploads"),
    [
        ("run_succeeded", replace(GOOD, status="no_op", exit_code=8), "succeeded", VOICE, 1.0, 0),
        ("job_succeeded", GOOD, "lost", VOICE, 1.0, 0),
        ("no_event_lost_or_doubled", replace(GOOD, gaps=1), "succeeded", VOICE, 1.0, 0),
        ("no_event_lost_or_doubled", replace(GOOD, repeats=1), "succeeded", VOICE, 1.0, 0),
        ("second_deploy_uploads_nothing", GOOD, "succeeded", VOICE, 1.0, 3),
        ("voice_verified", GOOD, "succeeded", replace(VOICE, verified=False), 1.0, 0),
        ("voice_verified", GOOD, "succeeded", None, 1.0, 0),
        ("gpt_weight_in_zip", GOOD, "succeeded", replace(VOICE, files=VOICE.files[1:]), 1.0, 0),
        ("sovits_weight_in_zip", GOOD, "succeeded", replace(VOICE, files=VOICE.files[:1]), 1.0, 0),
        ("proof_was_spoken", GOOD, "succeeded", VOICE, 0.0, 0),
        ("sovits_loss_fell", replace(GOOD, stages=RISING), "succeeded", VOICE, 1.0, 0),
        ("gpt_updated", replace(GOOD, stages=IDLE), "succeeded", VOICE, 1.0, 0),
    ],
)
def test_each_broken_promise_is_named(name, state, job, voice, proof, uploads) -> None:
    assert name in failed_checks(state, job, voice, proof, uploads)
