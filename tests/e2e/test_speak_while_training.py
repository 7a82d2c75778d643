"""Speaking with a voice that is being trained: with weights just exported, and in nobody's way."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import Place
from trip_steps import VOICE, Recorded, open_server, push_dataset

from sovdeck.engine.contract.params import ParamValue
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.speech_session import SpeechSession
from sovdeck.remote.speech.voice_assets import read_voice_assets
from sovdeck.remote.voices.dataset import remote_dataset_paths

PARAMS: dict[str, ParamValue] = {
    "train.repeats": 1,
    "sovits.epochs": 2,
    "sovits.save_every_epochs": 1,
    "sovits.batch_size": 2,
    "gpt.epochs": 100,
    "gpt.save_every_epochs": 1,
    "gpt.batch_size": 2,
    "train.device": "cpu",
    "train.save_every_minutes": 0,
}
SAY = {"text": "おはようございます。", "text_lang": "all_ja", "seed": 5}


def wait(ready: Callable[[], bool], session: ServerSession, run: job_client.RunHandle) -> None:
    deadline = time.monotonic() + 400
    while not ready():
        state = job_client.fetch_state(session.connection(), run)
        assert not state.ended, state
        assert time.monotonic() < deadline
        time.sleep(0.3)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(900)  # a whole preparation and two epochs before the first word
def test_a_voice_speaks_while_it_is_trained(
    embedded: Place, tmp_path: Path, recorded: Recorded
) -> None:
    work = tmp_path / "work"
    with open_server(embedded, tmp_path / "laptop", "box", work) as session:
        session.deploy(lambda _step: None)
        sent = push_dataset(session, recorded)
        list_file, wavs = remote_dataset_paths(session.layout(), VOICE)
        spec = RunSpec(
            run="speaks-meanwhile",
            voice=VOICE,
            preset="tiny",
            list_file=list_file,
            wav_folder=wavs,
            params=PARAMS,
        )
        run = job_client.start_run(session.connection(), session.require_deployment(), spec)
        exported = work / "GPT_weights" / VOICE
        wait(lambda: any(exported.glob("*.ckpt")), session, run)

        with SpeechSession(
            session.connection(), session.require_deployment(), VOICE, ("--device", "cpu")
        ) as speaker:
            found = speaker.weights()
            names = {one.name for one in (*found.gpt, *found.sovits)}
            assert found.loaded is not None and set(found.loaded) <= names
            assert speaker.speak(SAY, lambda _: None).seconds > 0
            assert len(read_voice_assets(session, VOICE).references) == sent - 1
        assert not job_client.fetch_state(session.connection(), run).ended, "the run goes on"
        ended = job_client.stop_run(session.connection(), run, 120)
        assert ended.state == "stopped"
        events = list(job_client.follow_events(session.connection, run))
        assert [event.seq for event in events] == list(range(len(events)))
        assert sorted(path.name for path in (work / "runs" / run.run_id).glob("lock.*")) == [
            "lock.1"
        ]
        assert not [event for event in events if event.type == "error"]
