"""Weights placed where a GPT-SoVITS lists them: whole, and never over somebody's own file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.voices.gptsovits_folder import check_upstream, copy_weights


def voice(folder: Path) -> list[Path]:
    names = (
        "GPT_weights/An/An-e2.ckpt",
        "SoVITS_weights/An/An_e4_s9.pth",
        "GPT_weights_v2Pro/An/An-e2.ckpt",
        "SoVITS_weights_v2ProPlus/An/An_e4_s9.pth",
        "README.txt",
        "GPT_weights/An/An-e2.ckpt.json",
        "reference/reference.wav",
    )
    files = [folder / name for name in names]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())
    return files


@pytest.mark.parametrize("sign", ["GPT_SoVITS", "webui.py", "GPT_weights_v2", "SoVITS_weights_v2"])
def test_each_sign_of_an_upstream_will_do(tmp_path: Path, sign: str) -> None:
    with pytest.raises(Problem) as refused:
        check_upstream(tmp_path)
    assert refused.value.key == "remote.upstream.not_one"
    (tmp_path / sign).mkdir()
    assert check_upstream(tmp_path) == tmp_path


def test_only_weights_are_placed_and_again_is_harmless(tmp_path: Path) -> None:
    files = voice(tmp_path / "An")
    upstream = tmp_path / "up"
    (upstream / "GPT_SoVITS").mkdir(parents=True)
    for _ in range(2):
        placed = copy_weights(files, tmp_path / "An", upstream)
        assert placed == [
            upstream / "GPT_weights_v2" / "An-e2.ckpt",
            upstream / "SoVITS_weights_v2" / "An_e4_s9.pth",
            upstream / "GPT_weights_v2Pro" / "An-e2.ckpt",
            upstream / "SoVITS_weights_v2ProPlus" / "An_e4_s9.pth",
        ]
    there = sorted(path.name for path in upstream.rglob("*") if path.is_file())
    assert there == ["An-e2.ckpt", "An-e2.ckpt", "An_e4_s9.pth", "An_e4_s9.pth"]


def test_a_different_file_is_never_replaced_and_nothing_is_half_placed(tmp_path: Path) -> None:
    files = voice(tmp_path / "An")
    upstream = tmp_path / "up"
    own = upstream / "SoVITS_weights_v2" / "An_e4_s9.pth"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"somebody's")
    with pytest.raises(Problem) as refused:
        copy_weights(files, tmp_path / "An", upstream)
    assert refused.value.key == "remote.upstream.another" and own.read_bytes() == b"somebody's"
    assert not (upstream / "GPT_weights_v2").exists()


def test_a_pack_without_weights_is_said(tmp_path: Path) -> None:
    files = voice(tmp_path / "An")[4:]
    (tmp_path / "webui.py").touch()
    with pytest.raises(Problem) as refused:
        copy_weights(files, tmp_path / "An", tmp_path)
    assert refused.value.key == "remote.upstream.no_weights"
