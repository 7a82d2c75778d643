"""`inspect` on the command line: one look tells what a file is, in both languages."""

from __future__ import annotations

import json

import pytest
import torch
from interop_micro import command
from micro_models import GPT_IN_FILES, SOVITS

from sovdeck.engine import interop
from sovdeck.engine.commands import inspect


def test_a_sound_voice(micro_state, tmp_path, capsys, monkeypatch) -> None:
    path = interop.write_sovits(tmp_path, "A", 3, 7, micro_state, SOVITS, {}).path
    assert command(inspect, path, "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(
        json.dumps(interop.inspect_weights(path))
    )
    monkeypatch.setenv("SOVDECK_LANG", "en")
    assert command(inspect, path) == 0
    said = capsys.readouterr().out
    assert "SoVITS generator, small, version v2, epoch 3, step 7" in said
    assert "enc_q is left out" in said and "missing:" not in said
    assert "not of its version's size" in said
    assert said.endswith("This engine can run it.\n")
    monkeypatch.setenv("SOVDECK_LANG", "zh")
    assert command(inspect, path) == 0
    assert "版本 v2，第 3 轮，第 7 步" in capsys.readouterr().out


@pytest.mark.parametrize("fault", ["version", "nan", "shape", "gone", "extra", "swapped"])
def test_a_voice_that_does_not_run_says_why(
    fault, micro_gpt_state, micro_state, tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.setenv("SOVDECK_LANG", "en")
    timbre = interop.write_sovits(tmp_path, "A", 3, 7, micro_state, SOVITS, {}).path
    prosody = interop.write_gpt(tmp_path, "A", 3, micro_gpt_state, GPT_IN_FILES, {}).path
    raw = torch.load(timbre, weights_only=True)
    want, path = "", timbre
    if fault == "version":
        raw["weight"]["enc_p.text_embedding.weight"] = torch.zeros(322, 4).half()
        torch.save(raw, timbre)
        want = "version v1"
    elif fault == "nan":
        raw["weight"]["dec.cond.bias"][3] = float("nan")
        torch.save(raw, timbre)
        want = "not finite: 1 tensor, first dec.cond.bias"
    elif fault == "shape":
        raw["weight"]["dec.cond.bias"] = torch.zeros(5)
        torch.save(raw, timbre)
        want = "of another shape: 1 tensor, first dec.cond.bias"
    elif fault == "gone":
        del raw["weight"]["dec.cond.bias"]
        torch.save(raw, timbre)
        want = "missing: 1 tensor, first dec.cond.bias"
    elif fault == "extra":
        raw, path = torch.load(prosody, weights_only=True), prosody
        raw["weight"]["model.more"] = torch.zeros(1)
        torch.save(raw, prosody)
        want = "extra: 1 tensor, first more"
    else:
        timbre.write_bytes(prosody.read_bytes())
        path, want = timbre, "It is not the file its note was written for."
    assert command(inspect, path) == (0 if fault == "swapped" else 3)
    said = capsys.readouterr().out
    assert want in said
    assert ("This engine cannot run it" in said) == (fault != "swapped")
