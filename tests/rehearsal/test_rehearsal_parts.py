"""The parts of `make rehearsal`, small: stand-ins are whole sets, the hub is one, it measures."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

_TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(_TESTS / "rehearsal"))

from file_hub import serve_files  # noqa: E402 - tests/ is not a package
from measure import ProcessMeter, Station, format_table, measured  # noqa: E402
from small_sizes import SMALL  # noqa: E402
from stand_ins import speaking_gpt, write_stand_ins  # noqa: E402

from sovdeck.engine.contract.http_download import download_file  # noqa: E402
from sovdeck.engine.contract.pretrained_set import files_for  # noqa: E402
from sovdeck.engine.interop.pretrained import download_pretrained  # noqa: E402
from sovdeck.engine.models.gpt.config import GptConfig  # noqa: E402
from sovdeck.engine.models.gpt.generate import generate  # noqa: E402
from sovdeck.engine.models.gpt.sampling import Sampling  # noqa: E402
from sovdeck.engine.prepare.frozen_encoders import encoders_of_set  # noqa: E402


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    write_stand_ins(folder, "v2Pro", SMALL)
    return folder


def test_the_stand_ins_are_fetched_and_whole(hub: Path, tmp_path: Path) -> None:
    with serve_files(hub) as source:
        states = download_pretrained(tmp_path, [source], version="v2Pro", progress=lambda *_: None)
    assert {state.name for state in states} == {file.name for file in files_for("v2Pro")}
    assert {state.state for state in states} <= {"ok", "own"}
    stored = torch.load(tmp_path / "chinese-hubert-base/pytorch_model.bin", weights_only=True)
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    assert any(name.endswith("weight_g") for name in stored)
    encoders = encoders_of_set(tmp_path, "v2Pro", "cpu", takes_speaker=True)
    assert encoders.content.features(torch.randn(1, 4000)).dtype is torch.float32
    assert encoders.text is not None and encoders.text.features("你好", [1, 2]).shape == (16, 3)
    assert encoders.speaker is not None and encoders.speaker.get().numbers == 1280


@pytest.mark.parametrize("prompt", [60, 122])
def test_the_stand_in_ends_its_sentences(prompt: int) -> None:
    """After five seconds of reference a sentence of four; a random one would go on to the limit."""
    torch.manual_seed(20)
    gpt = speaking_gpt(GptConfig.tiny()).half().float().eval()
    spoken = generate(
        gpt,
        torch.randint(0, gpt.config.phoneme_vocab_size, (50,)),
        torch.zeros(gpt.config.bert_dim, 50),
        torch.randint(0, gpt.config.eos, (prompt,)),
        sampling=Sampling(),
        generator=torch.Generator().manual_seed(1),
        max_tokens=441,
    )
    assert abs(prompt + len(spoken) - 220) <= 15


def test_the_hub_answers_ranges_and_checks(hub: Path, tmp_path: Path) -> None:
    path = hub / "s1v3.ckpt"
    with serve_files(hub) as source:
        got = download_file(f"{source}/s1v3.ckpt", tmp_path / "whole", lambda *_: None)
        part = tmp_path / "rest.part"
        part.write_bytes(path.read_bytes()[:1000])
        (tmp_path / "rest.part.etag").write_text(f'"{got.sha256}"')
        seen: list[int] = []
        download_file(f"{source}/s1v3.ckpt", tmp_path / "rest", lambda have, _: seen.append(have))
    assert got.expected_sha256 == got.sha256
    assert (tmp_path / "rest").read_bytes() == path.read_bytes() and min(seen) > 1000


def test_a_station_is_measured(tmp_path: Path) -> None:
    table: list[Station] = []
    program = "import sys, time; b = bytearray(200 << 20); t = time.process_time()\n"
    program += "while time.process_time() < t + 1: pass"
    with ProcessMeter(tmp_path) as meter, measured("work", meter, tmp_path, table) as here:
        (tmp_path / "file").write_bytes(bytes(1_000_000))
        process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=os.sep)
        while process.poll() is None:
            time.sleep(0.05)
        here.planned = "a second"
    assert here.cpu > 0.5 and here.memory > 200 << 20 and here.disk == 1_000_000
    assert "a second" in format_table(table)
