"""Speaking with a voice that is being trained: with weights just exported, and in nobody's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import Place
from trip_ground import VOICE, Recorded, open_server

from engine.contract.spec import RunSpec
from remote import job
from remote.recordings import gather, places
from remote.shelf import read_shelf
from remote.speaker import Speaker
from remote.studio import Studio
from remote.transfer.push import push

PARAMS = {
    "sovits.epochs": 2, "sovits.save_every_epochs": 1, "sovits.batch_size": 2,
    "gpt.epochs": 100, "gpt.save_every_epochs": 1, "gpt.batch_size": 2,
    "train.device": "cpu", "train.save_every_minutes": 0,
}  # fmt: skip
SAY = {"text": "おはようございます。", "text_lang": "all_ja", "seed": 5}


def wait(ready: Callable[[], bool], studio: Studio, run: job.RunHandle) -> None:
    deadline = time.monotonic() + 400
    while not ready():
        state = job.state(studio.link(), run)
        assert not state.ended, state
        assert time.monotonic() < deadline
        time.sleep(0.3)


@pytest.mark.slow
@pytest.mark.timeout(900)  # a whole preparation and two epochs before the first word
def test_a_voice_speaks_while_it_is_trained(
    embedded: Place, tmp_path: Path, recorded: Recorded
) -> None:
    work = tmp_path / "work"
    with open_server(embedded, tmp_path / "laptop", "box", work) as studio:
        studio.deploy(lambda _step: None)
        files = gather(VOICE, recorded.list_file, recorded.wavs).files
        folder = str(studio.layout().dataset(VOICE))
        push(studio.connect, files, folder, report=lambda _: None, cancel=threading.Event())
        list_file, wavs = places(studio.layout(), VOICE)
        spec = RunSpec(
            run="speaks-meanwhile", voice=VOICE, preset="tiny", list_file=list_file,
            wav_folder=wavs, params=PARAMS,
        )  # fmt: skip
        run = job.start(studio.link(), studio.deployed(), spec)
        exported = work / "GPT_weights" / VOICE
        wait(lambda: any(exported.glob("*.ckpt")), studio, run)

        with Speaker(studio.link(), studio.deployed(), VOICE, ("--device", "cpu")) as speaker:
            found = speaker.weights()
            names = {one.name for one in (*found.gpt, *found.sovits)}
            assert found.loaded is not None and set(found.loaded) <= names
            assert speaker.speak(SAY, lambda _: None).seconds > 0
            assert len(read_shelf(studio, VOICE).references) == len(files) - 1
        assert not job.state(studio.link(), run).ended, "the run goes on"
        ended = job.stop(studio.link(), run, 120)
        assert ended.state == "stopped"
        events = list(job.events(studio.link, run))
        assert [event.seq for event in events] == list(range(len(events)))
        assert sorted(path.name for path in (work / "runs" / run.run).glob("lock.*")) == ["lock.1"]
        assert not [event for event in events if event.type == "error"]
