"""Laptop and server judge every file of a dataset alike, however odd it is."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile
from prepare_signals import tone

from sovdeck.engine.contract.dataset.check import CheckedDataset, check_clips
from sovdeck.engine.contract.dataset.encoding import convert_list, guess_encoding
from sovdeck.engine.contract.dataset.items import read_dataset_list
from sovdeck.engine.contract.dataset.recordings import find_recordings
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.prepare.measured_list import check_list
from sovdeck.tui.audio.measure_file import measure_file

RATE = 24000


def write_m4a(path: Path, samples: np.ndarray) -> None:
    import av

    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate = RATE
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)


def cut(path: Path, share: float) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings as people have them; the verdict on each stands before its first `-`."""
    folder = tmp_path_factory.mktemp("zoo")
    wavs = folder / "recordings"
    wavs.mkdir()
    voice = tone(2.0, RATE)
    for name, kind in (("pcm.wav", "PCM_16"), ("mulaw.wav", "ULAW"), ("alaw.wav", "ALAW")):
        soundfile.write(wavs / f"ok-{name}", voice, RATE, subtype=kind)
    for name in ("x.flac", "x.mp3", "x.ogg"):
        soundfile.write(wavs / f"ok-{name}", voice, RATE)
    soundfile.write(wavs / "ok-UPPER.WAV", voice, RATE)
    soundfile.write(wavs / "ok-mp3 inside.wav", voice, RATE, format="MP3")
    soundfile.write(wavs / "ok-wav inside.mp3", voice, RATE, format="WAV")
    soundfile.write(wavs / f"ok-{unicodedata.normalize('NFD', 'がく')}.wav", voice, RATE)
    write_m4a(wavs / "ok-x.m4a", voice)
    shutil.copy(wavs / "ok-x.m4a", wavs / "ok-m4a inside.wav")
    nan = voice.copy()
    nan[RATE] = np.nan
    soundfile.write(wavs / "unreadable-nan.wav", nan, RATE, subtype="FLOAT")
    soundfile.write(wavs / "silent-antiphase.wav", np.stack([voice, -voice], 1), RATE)
    soundfile.write(wavs / "too_short-x.mp3", voice[: RATE // 3], RATE)
    soundfile.write(wavs / "too_long-x.flac", np.tile(voice, 30), RATE)
    soundfile.write(wavs / "too_long-x.wav", np.tile(voice, 30), RATE)
    soundfile.write(wavs / "silent-x.flac", np.zeros(RATE * 2), RATE)
    soundfile.write(wavs / "unreadable-cut.wav", voice, RATE)
    soundfile.write(wavs / "unreadable-cut.flac", voice * 0.5, RATE)
    cut(wavs / "unreadable-cut.wav", 0.5)
    cut(wavs / "unreadable-cut.flac", 0.4)
    (wavs / "unreadable-empty.wav").write_bytes(b"")
    (wavs / "unreadable-page.mp3").write_bytes(b"<!doctype html><title>404</title>")
    (wavs / "unreadable-noise.ogg").write_bytes(bytes(range(3, 250)) * 20)
    names = [path.name for path in wavs.iterdir()]
    lines = [f"{unicodedata.normalize('NFC', name)}|V|ja|はい" for name in sorted(names)]
    lines = [line.replace("UPPER.WAV", "upper.wav") for line in lines]
    (folder / "V.list").write_text("\n".join([*lines, "gone.wav|V|ja|はい"]), "utf-8")
    return folder


def verdicts(checked: CheckedDataset) -> dict[str, str]:
    found = {item.name: "ok" for item in checked.manifest.items}
    for problem in checked.manifest.problems:
        name = str(problem.facts.get("name", problem.facts.get("wav", ""))).rsplit("/", 1)[-1]
        found[name] = problem.key.rsplit(".", 1)[1]
    return found


def test_the_server_and_the_laptop_say_the_same_of_every_file(zoo: Path) -> None:
    server = verdicts(check_list(zoo / "V.list", None))
    expected = {name: name.partition("-")[0] for name in server if name != "gone.wav"}
    assert server == {**expected, "gone.wav": "missing"} and len(server) == 24
    laptop = check_clips(read_dataset_list(zoo / "V.list"), measure_file)
    assert verdicts(laptop) == server
    # m4a alone is left to the server's decoder.
    unmeasured = {item.name for item in laptop.manifest.items} - set(laptop.measurements)
    assert unmeasured == {"ok-x.m4a", "ok-m4a inside.wav"}


def test_systems_leave_files_behind_that_nobody_recorded(tmp_path: Path) -> None:
    for name in (
        "a.wav",
        "sub/b.MP3",
        "._a.wav",
        ".ipynb_checkpoints/a.wav",
        "__MACOSX/sub/._b.mp3",
        "notes.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = [path.relative_to(tmp_path).as_posix() for path in find_recordings(tmp_path)]
    assert found == ["a.wav", "sub/b.MP3"]


def test_equal_base_names_are_told_apart(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / "1.wav", tone(1.0, RATE), RATE)
    source = tmp_path / "V.list"
    source.write_text("one/1.wav|V|ja|はい\ntwo/1.wav|V|ja|いいえ\ntwo/1.wav|V|ja|また\n", "utf-8")
    manifest = read_dataset_list(source)
    assert [(item.name, item.wav) for item in manifest.items] == [
        ("1.wav", tmp_path / "one/1.wav"),
        ("two_1.wav", tmp_path / "two/1.wav"),
    ]
    (twice,) = manifest.problems
    assert twice.key == "engine.data.duplicate" and twice.facts["first"] == 2


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("1.wav|ja|はい", "no_speaker_field"),
        ("1.wav|V|はい", "no_language_field"),
        ("1.wav|V|ja", "no_text_field"),
        ("1.wav｜V｜ja｜はい", "wide_bar"),
        ("1.wav", "fields"),
        ("1.wav|V|ja|a|b", "fields"),
    ],
)
def test_what_lacks_in_a_line_is_named(tmp_path: Path, line: str, key: str) -> None:
    (tmp_path / "V.list").write_text(line, "utf-8")
    (problem,) = read_dataset_list(tmp_path / "V.list").problems
    assert problem.key == f"engine.data.{key}"


@pytest.mark.parametrize(
    ("name", "codec", "tag", "text"),
    [
        ("GBK", "gbk", "zh", "今天天气很好，我们去公园。"),
        ("Shift-JIS", "cp932", "ja", "今日はいい天気です。"),
        ("Shift-JIS", "cp932", "x", "今日はいい天気です。"),
        ("EUC-KR", "cp949", "ko", "안녕하세요 오늘은"),
        ("UTF-16", "utf-16", "zh", "今天天气很好"),
    ],
)
def test_a_list_in_another_encoding_is_one_problem_and_can_be_converted(
    tmp_path: Path, name: str, codec: str, tag: str, text: str
) -> None:
    source = tmp_path / "V.list"
    raw = "".join(f"{n}.wav|V|{tag}|{text}\r\n" for n in range(30)).encode(codec)
    source.write_bytes(raw)
    with pytest.raises(Problem) as other:
        read_dataset_list(source)
    assert other.value.key == "engine.data.other_encoding"
    assert other.value.facts["encoding"] == name and str(other.value.facts["sample"]) in text
    encoding, backup = convert_list(source)
    assert encoding == name and backup.read_bytes() == raw
    assert source.read_bytes().decode("utf-8").splitlines()[0] == f"0.wav|V|{tag}|{text}"
    assert guess_encoding(source.read_bytes()) is None
    with pytest.raises(Problem) as done:
        convert_list(source)
    assert done.value.key == "engine.data.no_encoding"
