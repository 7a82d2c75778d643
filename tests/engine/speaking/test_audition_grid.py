"""A whole audition on tiny weights: cells, truth, shared delivery, command and choice."""

from __future__ import annotations

import argparse
import json
import os
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sovdeck.engine.commands import audition as audition_command
from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.runtime import device
from sovdeck.engine.speaking.audition import AuditionGrid, AuditionRenderer, Sentence
from sovdeck.engine.speaking.audition_results import AuditionResults, read_json_lines
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.speaking.saved_samples import saved_samples
from sovdeck.engine.speaking.voice_loader import VoiceLoader
from sovdeck.engine.voice.pack import pack_voice

VOICE = "Test"


class Parrot:
    """A recogniser that always hears the same words."""

    def transcribe(self, samples: np.ndarray, language: str, /) -> str:
        assert language == "ja" and len(samples) > 0
        return "おはよう"


class Print:
    def embed(self, samples: np.ndarray, /) -> np.ndarray:
        return np.array([0.6, 0.8])


def short(clip: Path) -> SpeakRequest:
    return SpeakRequest(text="-", ref_audio=clip, ref_text="今日は", ref_lang="ja", max_tokens=14)


def test_every_cell_has_a_wav_a_row_and_marks(
    work: Path, tmp_path: Path, clip: Callable[..., Path]
) -> None:
    session = VoiceLoader(work, VOICE)
    grid = AuditionGrid(
        gpt=[w.path for w in session.gpt_weights()],
        sovits=[w.path for w in session.sovits_weights()],
        references=[short(clip(4.0))],
        sentences=[Sentence("おはよう", "all_ja", clip(1.5)), Sentence("さようなら", "all_ja")],
    )
    audition = AuditionRenderer(tmp_path, session.open_pipeline, Parrot(), Print())
    rows = []
    for row in audition.render(grid):
        assert (tmp_path / row["wav"]).is_file()  # there before the row is told
        rows.append(row)
    cells = [row for row in rows if row["kind"] == "cell"]
    assert (
        grid.cell_count == len(cells) == 8 and len({row["cell"] for row in rows}) == len(rows) == 9
    )
    assert rows[0]["kind"] == "truth" and rows[0]["cer"] == rows[0]["phone_error"] == 0.0
    first = [row for row in cells if row["sentence"] == 0]
    assert all(row["cer"] == 0.0 and row["similarity"] == 1.0 for row in first)
    assert all(row["length_ratio"] == pytest.approx(row["seconds"] / 1.5, 0.05) for row in first)
    lines = (tmp_path / "table.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == rows


def test_one_gpt_gives_all_voices_the_same_delivery(
    work: Path, tmp_path: Path, clip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sovdeck.engine.speaking import pipeline as module

    drawn: list[int] = []
    real = module.generate
    monkeypatch.setattr(module, "generate", lambda *a, **k: drawn.append(1) or real(*a, **k))
    session = VoiceLoader(work, VOICE)
    grid = AuditionGrid(
        gpt=[session.gpt_path()],
        sovits=[w.path for w in session.sovits_weights()],
        references=[short(clip(4.0))],
        sentences=[Sentence("おはよう", "all_ja")],
    )
    rows = list(AuditionRenderer(tmp_path, session.open_pipeline).render(grid))
    assert [row["kind"] for row in rows] == ["truth", "cell", "cell"] and len(drawn) == 1


def test_samples_that_training_saved_are_measured_too(
    work: Path, tmp_path: Path, clip: Callable[..., Path]
) -> None:
    def leave(run: str, voice: str, *events: dict[str, object]) -> None:
        folder = tmp_path / "runs" / run
        (folder / "samples").mkdir(parents=True)
        (folder / "spec.json").write_text(json.dumps({"voice": voice}))
        (folder / "samples" / "gpt-e2-1.wav").write_bytes(clip(2.0).read_bytes())
        common = {"v": 1, "t": 0, "run": run, "attempt": 1, "stage": "gpt", "type": "sample"}
        lines = [json.dumps({"seq": n, **common, **e}) for n, e in enumerate(events, 1)]
        (folder / "events.jsonl").write_text("\n".join([*lines, "torn"]), "utf-8")

    wav = "samples/gpt-e2-1.wav"
    leave("other", "Another", {"path": f"runs/other/{wav}", "text": "x", "epoch": 2, "seconds": 2})
    leave(
        "mine",
        VOICE,
        {"path": f"runs/mine/{wav}", "text": "おはよう", "epoch": 2, "seconds": 2.0},
        {"path": "runs/mine/gone.wav", "text": "-", "epoch": 4, "seconds": 1.0},
        {"path": "logs/proof.wav", "text": "proof", "seconds": 1.0},
    )
    saved = saved_samples(Layout.at(tmp_path.as_posix()), VOICE)
    assert [(one.run, one.stage, one.epoch, one.text) for one in saved] == [
        ("mine", "gpt", 2, "おはよう")
    ]
    session = VoiceLoader(work, VOICE)
    grid = AuditionGrid(
        gpt=[], sovits=[], references=[short(clip(4.0))], sentences=[], saved_samples=saved
    )
    truth, row = AuditionRenderer(tmp_path / "out", session.open_pipeline, Parrot()).render(grid)
    assert truth["kind"] == "truth" and grid.cell_count == 1
    assert (row["kind"], row["epoch"], row["phone_error"]) == ("saved", 2, 0.0)
    assert (tmp_path / "out" / row["wav"]).is_file()


def test_the_command_renders_ranks_and_chooses(
    work: Path, tmp_path: Path, clip: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> list[dict[str, object]]:
        parser = argparse.ArgumentParser()
        parser.add_argument("--json", action="store_true")
        audition_command.add_arguments(parser)
        given = [VOICE, "--work", str(work), "--device", "cpu", "--json", *arguments]
        assert audition_command.run(parser.parse_args(given)) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    unread, *events = run(
        "--text", "おはよう мир", "--text-lang", "all_ja", "--gpt", "Test-e2.ckpt"
    )
    # What has no sound is told before any cell is rendered.
    assert (unread["event"], unread["sentence"]) == ("unread", 0)
    assert unread["lost"] == [{"char": letter, "index": 5 + n} for n, letter in enumerate("мир")]
    kinds = ["cell"] * 4 + ["standing"] * 2 + ["ranked"]
    assert [e["event"] for e in events] == kinds
    # Nobody recorded the typed words: the clip that is imitated stands for the truth.
    assert [e.get("kind") for e in events[:4]] == ["truth", "cell", "cell", "base"]
    assert events[0]["text"] == "今日は。" and events[3]["gpt"] == "Test-e0.ckpt"
    assert events[3]["sovits"] == "Test_e0_s0.pth" and events[0]["of"] == 4
    votes = tmp_path / "votes.jsonl"
    loser = str(events[4]["sovits"])
    cells = {str(e["sovits"]): str(e["cell"]) for e in events[1:3]}
    winner = next(name for name in cells if name != loser)
    votes.write_text(json.dumps({"better": cells[winner], "worse": cells[loser]}) * 1 + "\n")
    *again, ranked = run("--votes", str(votes), "--choose")
    assert ranked["votes"] == 1 and ranked["chosen"] == ["Test-e2.ckpt", winner]
    assert [e["sovits"] for e in again] == [winner, loser] and again[0]["won"] == 1
    features = Path(Layout.at(work.as_posix()).features(VOICE))
    session = VoiceLoader(work, VOICE)
    assert (session.gpt_path().name, session.sovits_path().name) == ("Test-e2.ckpt", winner)
    packed = pack_voice(session.layout, VOICE)
    assert {name for name in packed.files if name.endswith((".ckpt", ".pth"))} == {
        "GPT_weights/Test/Test-e2.ckpt",
        f"SoVITS_weights/Test/{winner}",
    }
    later = (features / "chosen.json").stat().st_mtime + 5
    os.utime(work / "GPT_weights/Test/Test-e10.ckpt", (later, later))
    assert session.gpt_path().name == "Test-e10.ckpt"  # trained after the choice
    (features / "chosen.json").unlink()


def test_the_list_gives_references_and_sentences(
    work: Path, tmp_path: Path, clip: Callable[..., Path]
) -> None:
    data = tmp_path / "data" / VOICE
    (data / "wavs").mkdir(parents=True)
    lines = []
    for number, seconds in enumerate((5.0, 1.5, 6.0)):
        (data / "wavs" / f"{number}.wav").write_bytes(clip(seconds).read_bytes())
        lines.append(f"{number}.wav|{VOICE}|JA|文{number}です。\n")
    (data / f"{VOICE}.list").write_text("".join(lines), encoding="utf-8")
    session = VoiceLoader(tmp_path, VOICE)
    clips = session.clips()
    assert [one.text for one in clips] == ["文0です。", "文1です。", "文2です。"]
    references = audition_command._reference_requests(session, clips, 5, -2.0)
    assert {r.ref_text for r in references} == {"文0です。", "文2です。"}
    assert {r.pitch for r in references} == {-2.0}, "the tone of every cell"
    args = argparse.Namespace(text=[], voice=VOICE, text_lang="auto")
    sentences = audition_command._sentences(args, "auto", clips[1:2])
    assert sentences[0].truth == data / "wavs" / "1.wav"
    with pytest.raises(Problem, match="nothing for Test to say"):
        audition_command._sentences(args, "auto", [])
    with pytest.raises(Problem, match="no clip of 3-10 s"):
        audition_command._reference_requests(session, [], 1, 0.0)


def test_votes_without_an_audition_are_refused(tmp_path: Path) -> None:
    results = AuditionResults(tmp_path, tmp_path / "features")
    with pytest.raises(Problem, match="table.jsonl"):
        results.add_vote("a", "b")
    (tmp_path / "table.jsonl").write_text('{"cell": "a", "gpt": "g", "sovits": "s"}\n')
    with pytest.raises(Problem, match='no cell "b"'):
        results.add_vote("a", "b")
    with pytest.raises(Problem, match="did not compare"):
        results.choose_pair("g", "other")
    assert results.votes() == [] and results.chosen_pair() is None


def rows_of(folder: Path, *pairs: tuple[str, Path]) -> None:
    """A table of one cell for each (name, SoVITS file) below `folder`."""
    lines = []
    for cell, weight in pairs:
        facts = weight.stat()
        origin = [str(weight), facts.st_size, facts.st_mtime_ns, file_sha256(weight)]
        row = {"cell": cell, "kind": "cell", "gpt": "g", "sovits": weight.name, "penalty": 1.0}
        lines.append({**row, "sha256": f"sound of {cell}", "weights": [origin]})
    (folder / "table.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))


def test_a_vote_does_not_outlive_the_weights_it_was_about(tmp_path: Path) -> None:
    one, other = tmp_path / "one.pth", tmp_path / "other.pth"
    for weight in (one, other):
        weight.write_bytes(weight.name.encode())
    rows_of(tmp_path, ("a", one), ("b", other))
    features = tmp_path / "features"
    results = AuditionResults(tmp_path, features)
    results.add_vote("a", "b@sound of b")
    assert len(results.votes()) == 1 and [s.won for s in results.standings([])] == [1, 0]
    with pytest.raises(Problem) as refused:
        results.add_vote("a@what it was before", "b")
    assert refused.value.key == "engine.speaking.other_sound"

    os.utime(one, (1, 1))  # copied back: still the same bytes
    assert AuditionResults(tmp_path, features).count_stale() == 0
    one.write_bytes(b"trained again under the same name")
    results = AuditionResults(tmp_path, features)
    assert results.votes() == [] and results.count_stale() == 1
    assert [(s.sovits, s.won, s.lost) for s in results.standings([])] == [("other.pth", 0, 0)]
    with pytest.raises(Problem) as refused:
        results.add_vote("a", "b")
    assert refused.value.key == "engine.speaking.other_sound"
    with pytest.raises(Problem, match="trained again"):
        results.choose_pair("g", "one.pth")

    rows_of(tmp_path, ("a", one), ("b", other))  # rendered anew: other sounds, the same names
    content = (tmp_path / "table.jsonl").read_text().replace("sound of a", "its new sound")
    (tmp_path / "table.jsonl").write_text(content)
    results = AuditionResults(tmp_path, features)
    assert results.count_stale() == 0 and results.votes() == []
    results.add_vote("b", "a")
    assert [s.sovits for s in results.standings([])] == ["other.pth", "one.pth"]
    other.unlink()
    assert [s.sovits for s in AuditionResults(tmp_path, features).standings([])] == ["one.pth"]


class Hears:
    """Hears nothing the first `misses` times, then all of it."""

    def __init__(self, misses: int) -> None:
        self.misses = misses

    def transcribe(self, samples: np.ndarray, language: str, /) -> str:
        self.misses -= 1
        return "" if self.misses >= 0 else "おはよう"


def test_missing_words_are_drawn_again_and_every_voice_speaks_what_was_found(
    work: Path, tmp_path: Path, clip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sovdeck.engine.speaking import pipeline as module

    drawn: list[int] = []
    real = module.generate
    monkeypatch.setattr(module, "generate", lambda *a, **k: drawn.append(1) or real(*a, **k))
    session = VoiceLoader(work, VOICE)
    grid = AuditionGrid(
        gpt=[session.gpt_path()],
        sovits=[w.path for w in session.sovits_weights()],
        references=[short(clip(4.0))],
        sentences=[Sentence("おはよう", "all_ja")],
        rerolls=3,
    )
    hears = Hears(misses=0)
    audition = AuditionRenderer(tmp_path, session.open_pipeline, hears)
    run = audition.render(grid)
    assert next(run)["kind"] == "truth"
    hears.misses = 2
    first = next(run)
    assert first["attempts"] == 3 and len(drawn) == 3 and first["phone_error"] == 0.0
    run.close()  # cut here: the second voice still gets what was found
    rows = list(audition.render(grid))
    assert rows[1] == first and [row.get("attempts") for row in rows] == [None, 3, 3]
    assert len(drawn) == 3, "one GPT draws a sentence for all voices"
    hears.misses = 99
    hopeless = list(
        AuditionRenderer(tmp_path / "b", session.open_pipeline, hears).render(
            replace(grid, rerolls=1)
        )
    )
    assert [row.get("attempts") for row in hopeless] == [None, 2, 2] and len(drawn) == 5
    assert all("delivery" not in row for row in (*rows, *hopeless))


def check(work: Path, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    audition_command.add_arguments(parser)
    given = [VOICE, "--work", str(work), "--json", "--check", "--text", "はい", *arguments]
    return audition_command.run(parser.parse_args(given))


def test_all_that_is_lacking_is_said_before_anything_is_rendered(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rendered = sorted((work / "auditions").rglob("*.wav"))
    assert check(work) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["event"] == "checked" and answer["cells"] > 1
    for arguments, key in (
        (("--verify", "2"), "engine.speaking.nobody_listens"),
        (("--pretrained", "none"), "engine.pretrained.no_folder"),
        (("--device", "cuda"), "engine.run.no_cuda"),
        (("--gpt", "Test-e99.ckpt"), "engine.weights.unreadable"),
    ):
        with pytest.raises(Problem) as refused:
            check(work, *arguments)
        assert refused.value.key == key
    monkeypatch.setattr(device, "count_gpus", lambda: 1)
    with pytest.raises(Problem) as refused:
        check(work)
    assert refused.value.key == "engine.speaking.gpu_unseen"
    assert check(work, "--device", "cpu") == 0
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(audition_command.shutil, "disk_usage", lambda folder: usage(1 << 20))
    with pytest.raises(Problem) as refused:
        check(work, "--device", "cpu")
    assert refused.value.key == "engine.speaking.disk_low"
    assert sorted((work / "auditions").rglob("*.wav")) == rendered


def test_what_an_earlier_audition_rendered_is_not_rendered_again(
    work: Path, tmp_path: Path, clip: Callable[..., Path]
) -> None:
    session = VoiceLoader(work, VOICE)
    opened: list[str] = []

    def open_pair(gpt: Path, sovits: Path) -> SpeechPipeline:
        opened.append(sovits.name)
        return session.open_pipeline(gpt, sovits)

    sentences = [Sentence("おはよう", "all_ja"), Sentence("さようなら", "all_ja")]
    grid = AuditionGrid(
        gpt=[session.gpt_path()],
        sovits=[w.path for w in session.sovits_weights()],
        references=[short(clip(4.0))],
        sentences=sentences,
    )
    audition = AuditionRenderer(tmp_path, open_pair)
    cut = audition.render(grid)
    begun = [next(cut) for _ in range(4)]
    cut.close()  # as if the server was switched off
    rows = list(audition.render(grid))
    assert rows[:4] == begun and [row["kind"] for row in rows] == ["truth"] + ["cell"] * 4
    assert len(opened) == 3, "the second voice was opened again for its one missing cell"
    (tmp_path / rows[1]["wav"]).write_bytes(b"torn")
    assert list(audition.render(grid)) == rows and len(opened) == 4
    assert [r["cell"] for r in audition.render(replace(grid, seed=9))] == [r["cell"] for r in rows]
    assert len(opened) == 6


def test_unicodes_own_ends_of_lines_do_not_break_a_table(tmp_path: Path) -> None:
    row = {"sentence": "Good\u2028morning\x85"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", "utf-8")
    assert read_json_lines(tmp_path / "rows.jsonl") == [row]
