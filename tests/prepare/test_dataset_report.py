"""The report tells good clips from bad ones and says why, on laptop and server alike."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine.contract.dataset.check import Checked
from engine.contract.dataset.clip import ClipFacts
from engine.contract.dataset.items import Item, Manifest
from engine.contract.dataset.report import characters, make_report
from engine.contract.dataset.wav import measure_wav
from engine.contract.problem import ExitCode, Problem

ROOT = Path(__file__).resolve().parents[2]
GOOD = ClipFacts(4.0, 32000, 1, peak=0.6, level_db=-20.0, noise_db=-60.0, clipped=0.0)


def checked(*changed: tuple[str, ClipFacts], count: int = 20) -> Checked:
    """`count` even clips of 20 characters in 4 s, with some replaced by (text, facts)."""
    pairs = [("あ" * (20 + n % 3), GOOD) for n in range(count - len(changed))] + list(changed)
    items = tuple(
        Item(n + 1, f"{n}.wav", Path(f"{n}.wav"), "mei", "ja", words)
        for n, (words, _) in enumerate(pairs)
    )
    facts = {f"{n}.wav": fact for n, (_, fact) in enumerate(pairs)}
    return Checked(Manifest(Path("V.list"), items), facts)


def reasons(*changed: tuple[str, ClipFacts]) -> dict[str, list[str]]:
    report = make_report(checked(*changed))
    return {
        suspect.item.name: [reason.key.rsplit(".", 1)[1] for reason in suspect.reasons]
        for suspect in report.suspects
    }


def test_an_even_set_has_no_suspects() -> None:
    report = make_report(checked())
    assert report.suspects == () and report.clips == 20 and report.seconds == 80.0
    assert report.spoken == (("mei", "ja", 20, 80.0),)
    assert sum(count for *_, count in report.histogram) == 20
    assert (3.0, 5.0, 20) in report.histogram
    assert (report.level_db, report.noise_db) == (-20.0, -60.0)


def test_texts_that_do_not_fit_their_sound() -> None:
    assert reasons(("あ" * 60, GOOD)) == {"19.wav": ["mismatch"]}
    assert reasons(("あ" * 4, GOOD)) == {"19.wav": ["mismatch"]}
    assert reasons(("あ" * 30, GOOD)) == {"19.wav": ["odd_pace"]}
    # Marks take no time: a text full of them is no outlier.
    assert reasons(("あ" * 20 + "、。！？…" * 8, GOOD)) == {}
    assert characters("あ、b 3。") == 3


def test_sound_that_stands_out() -> None:
    assert reasons(("あ" * 20, replace(GOOD, noise_db=-32.0))) == {"19.wav": ["noisy"]}
    assert reasons(("あ" * 20, replace(GOOD, clipped=0.004))) == {"19.wav": ["clipping"]}
    loud = replace(GOOD, level_db=-8.0)
    assert reasons(("あ" * 20, loud)) == {"19.wav": ["odd_level"]}


def test_worst_first() -> None:
    noisy = replace(GOOD, noise_db=-38.0)
    report = make_report(checked(("あ" * 20, noisy), ("あ" * 90, GOOD), ("あ" * 31, GOOD)))
    scores = [suspect.score for suspect in report.suspects]
    assert scores == sorted(scores, reverse=True)
    assert [suspect.item.line for suspect in report.suspects] == [19, 20, 18]


def test_few_clips_judge_nobodys_pace() -> None:
    assert make_report(checked(("あ" * 90, GOOD), count=5)).suspects == ()


def test_problems_and_unmeasured_clips_are_told() -> None:
    base = checked()
    fault = Problem("engine.data.fields", ExitCode.DATA, file="V.list", line=3, count=2)
    manifest = replace(base.manifest, problems=(fault,))
    facts = {name: fact for name, fact in base.facts.items() if name != "0.wav"}
    report = make_report(Checked(manifest, facts))
    assert report.unmeasured == 1 and report.clips == 20
    for language in ("en", "zh"):
        lines = report.lines(language)  # type: ignore[arg-type]
        assert any(fault.message.get(language) in line for line in lines)  # type: ignore[arg-type]
    assert json.loads(json.dumps(report.as_json()))["problems"][0]["code"] == "engine.data.fields"


def test_an_empty_set_reports_too() -> None:
    report = make_report(Checked(Manifest(Path("V.list"), ()), {}))
    assert report.clips == 0 and report.level_db is None and report.lines("en")


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.m4a"])
def test_the_laptop_leaves_other_formats_to_the_server(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"anything")
    assert measure_wav(tmp_path / name) is None


def test_reasons_are_counted_in_few_words() -> None:
    base = checked(("あ" * 60, GOOD), ("あ" * 20, replace(GOOD, noise_db=-32.0)))
    faults = tuple(
        Problem("engine.data.fields", ExitCode.DATA, file="V.list", line=n, count=2)
        for n in (30, 31)
    )
    lines = make_report(Checked(replace(base.manifest, problems=faults), base.facts)).lines("en")
    assert "  left out: 2 wrong number of fields" in lines
    assert "  to listen to: 1 text hardly fits, 1 noisy" in lines
    assert any("usual pace in ja" in line for line in lines)


def test_every_reason_a_report_can_hold_has_few_words() -> None:
    words = json.loads((ROOT / "engine/words/report.json").read_text(encoding="utf-8"))
    named = set()
    for path in (ROOT / "engine/contract/dataset").glob("*.py"):
        found = re.findall(r'"engine\.(?:data|report)\.([a-z_0-9]+)"', path.read_text("utf-8"))
        named |= set(found)
    of_lists = {"no_list", "strict", "which_list", "corrupt", "bad_words", "line_moved"}
    of_lists |= {"not_saved", "total", "spoken", "length", "levels", "unmeasured", "pace"}
    of_lists |= {"left_out", "listen", "remarks"}
    assert {f"short_{reason}" for reason in named - of_lists} <= set(words)
