"""Every fault of a list is named with file, line and reason; nothing is dropped silently."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from prepare_signals import tone

from sovdeck.engine.contract.dataset.check import check_clips
from sovdeck.engine.contract.dataset.items import DatasetManifest, clean_path, read_dataset_list
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.prepare.measured_list import check_list, measure_file
from sovdeck.tui.audio.measure_file import measure_file as measure_on_the_laptop

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def wavs(tmp_path: Path) -> Path:
    folder = tmp_path / "wavs"
    folder.mkdir()
    for name in ("a", "b", "c"):
        soundfile.write(folder / f"{name}.wav", tone(1.0), 24000)
    return folder


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "V.list"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read_list(path: Path, wavs: Path | None = None, strict: bool = False) -> DatasetManifest:
    return check_list(path, wavs, strict).manifest


def test_a_text_is_one_line_for_every_reader(tmp_path: Path, wavs: Path) -> None:
    """Pasted text brings Unicode's own ends of lines with it, which our files may not hold."""
    path = write(tmp_path, "a.wav|V|zh|\u2028早\u2028上\x85好\v你\t好\u2029\n")
    (item,) = read_list(path, wavs).items
    assert item.text == "早 上 好 你 好" and len(item.text.splitlines()) == 1


def test_every_fault_has_its_line_and_reason(tmp_path: Path, wavs: Path) -> None:
    lines = [
        "a.wav|V|JP|おはよう",
        "a.wav|V|ja",
        "b.wav|V|ja|x|y",
        "b.wav|V|klingon|nuqneH",
        "b.wav|V|ja|。、…",
        "other/a.wav|V|ja|またね",
        "gone.wav|V|ja|はい",
        "|V|ja|はい",
        "",
        "c.wav|V|EN|Fine, thank you.",
    ]
    path = write(tmp_path, "\n".join(lines).encode() + b"\nb.wav|V|ja|\x82\xb1\n")
    manifest = read_list(path, wavs)
    assert [(item.name, item.language) for item in manifest.items] == [
        ("a.wav", "ja"),
        ("c.wav", "en"),
    ]
    found = {(p.key.rsplit(".", 1)[1], p.facts["line"]) for p in manifest.problems}
    assert found == {
        ("no_text_field", 2),
        ("fields", 3),
        ("unknown_language", 4),
        ("empty_text", 5),
        ("duplicate", 6),
        ("missing", 7),
        ("bad_path", 8),
        ("not_utf8", 11),
    }
    for problem in manifest.problems:
        assert problem.exit_code is ExitCode.DATA
        assert problem.message.en.startswith(f"V.list line {problem.facts['line']}: ")
        assert problem.message.zh and problem.hint.zh
    assert len(manifest.items) + len(manifest.problems) == len([x for x in lines if x]) + 1


def test_strict_stops_and_names_all(tmp_path: Path, wavs: Path) -> None:
    path = write(tmp_path, "a.wav|V|ja|はい\na.wav|V\ngone.wav|V|ja|はい\n")
    with pytest.raises(Problem) as stop:
        read_list(path, wavs, strict=True)
    assert stop.value.key == "engine.data.strict"
    assert "line 2" in stop.value.message.en and "gone.wav" in stop.value.message.en
    assert read_list(write(tmp_path, "a.wav|V|ja|はい\n"), wavs, strict=True).problems == ()


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Problem) as gone:
        read_list(tmp_path / "no.list")
    assert gone.value.key == "engine.data.no_list"


def test_paths_as_people_paste_them(tmp_path: Path, wavs: Path) -> None:
    assert clean_path(' "D:\\voices\\a.wav"\r\n') == "D:/voices/a.wav"
    assert clean_path("\u202aD:/x/a.wav/") == "D:/x/a.wav"
    rows = [
        '\ufeff"D:\\somewhere\\a.wav"|V|zh|你好',
        "\u202ab.wav|V|yue|你好\r",
        "wavs\\c.wav|V|ko|네",
    ]
    manifest = read_list(write(tmp_path, "\n".join(rows)), wavs)
    assert [item.language for item in manifest.items] == ["zh", "yue", "ko"]
    assert [item.wav for item in manifest.items] == [wavs / f"{n}.wav" for n in "abc"]
    # Without a folder, paths are taken from the list's own place.
    manifest = read_list(write(tmp_path, "wavs\\a.wav|V|ja|はい"))
    assert manifest.items[0].wav == tmp_path / "wavs" / "a.wav"


CLIPS = {
    "short.wav": (tone(0.4), "too_short"),
    "long.wav": (tone(55, rate=4000), "too_long"),
    "silent.wav": (np.zeros(24000, np.float32), "silent"),
    "loud.wav": (tone(1.0, level=3.0), "too_loud"),
    "clipped.wav": (np.clip(tone(1.0, level=3.0), -1, 1), "clipped"),
}


@pytest.mark.parametrize("measure", [measure_file, measure_on_the_laptop])
def test_clips_that_cannot_be_trained_on(tmp_path: Path, wavs: Path, measure: object) -> None:
    rows = []
    for name, (wav, _) in CLIPS.items():
        rate = 4000 if name == "long.wav" else 24000
        soundfile.write(wavs / name, wav, rate, subtype="FLOAT")
        rows.append(f"{name}|V|ja|はい")
    (wavs / "noise.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVEnot really")
    (wavs / "cut.wav").write_bytes((wavs / "a.wav").read_bytes()[:20])
    (wavs / "empty.wav").write_bytes(b"")
    rows += [f"{name}|V|ja|はい" for name in ("noise.wav", "cut.wav", "empty.wav", "a.wav")]
    checked = check_clips(read_dataset_list(write(tmp_path, "\n".join(rows)), wavs), measure)  # type: ignore[arg-type]
    assert [item.name for item in checked.manifest.items] == ["a.wav"]
    found = {p.facts["name"]: p.key.rsplit(".", 1)[1] for p in checked.manifest.problems}
    assert found == {
        **{name: reason for name, (_, reason) in CLIPS.items()},
        "noise.wav": "unreadable",
        "cut.wav": "unreadable",
        "empty.wav": "unreadable",
    }


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
def test_laptop_and_server_measure_alike(tmp_path: Path, subtype: str, container: str) -> None:
    rng = np.random.default_rng(5)
    voiced = tone(2.0, rate=44100, level=0.4) * np.repeat([1, 0.01, 1, 1], 22050)
    stereo = np.stack([voiced, voiced], 1) + 1e-3 * rng.standard_normal((88200, 1))
    path = tmp_path / "x.wav"
    soundfile.write(path, stereo, 44100, subtype=subtype, format=container)
    ours, theirs = measure_on_the_laptop(path), measure_file(path)
    assert ours is not None and theirs is not None
    assert (ours.seconds, ours.rate, ours.channels) == (theirs.seconds, 44100, 2)
    assert ours.peak == pytest.approx(theirs.peak, abs=1e-6)
    assert ours.level_db == pytest.approx(theirs.level_db, abs=0.2)
    assert ours.noise_db == pytest.approx(theirs.noise_db, abs=1.5)


def test_remarks_leave_a_clip_in(tmp_path: Path, wavs: Path) -> None:
    soundfile.write(wavs / "a.wav", np.stack([tone(1, 8000)] * 2, 1), 8000)
    soundfile.write(wavs / "b.wav", tone(40, 16000), 16000)
    manifest = read_list(write(tmp_path, "a.wav|V|ja|はい\nb.wav|V|ja|はい"), wavs)
    assert len(manifest.items) == 2 and manifest.problems == ()
    assert [p.key.rsplit(".", 1)[1] for p in manifest.notes] == [
        "channels",
        "narrow",
        "long_for_sovits",
    ]


def test_the_laptops_check_needs_no_server_library(tmp_path: Path, wavs: Path) -> None:
    path = write(tmp_path, "a.wav|V|ja|はい\nb.wav|V|ja\n")
    program = (
        "import sys; from pathlib import Path\n"
        "from sovdeck.engine.contract.dataset.check import check_clips\n"
        "from sovdeck.engine.contract.dataset.items import read_dataset_list\n"
        "from sovdeck.tui.audio.measure_file import measure_file\n"
        "manifest = read_dataset_list(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "checked = check_clips(manifest, measure_file)\n"
        "assert len(checked.manifest.items) == 1 and len(checked.manifest.problems) == 1\n"
        "assert not {'torch', 'soundfile'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path), str(wavs)], check=True, cwd=ROOT)
