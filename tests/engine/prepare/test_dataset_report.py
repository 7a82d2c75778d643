"""The report tells good clips from bad ones and says why, on laptop and server alike."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from sovdeck.engine.contract.catalogue import load_entries
from sovdeck.engine.contract.dataset.check import CheckedDataset
from sovdeck.engine.contract.dataset.clip import ClipMeasurement
from sovdeck.engine.contract.dataset.items import DatasetItem, DatasetManifest
from sovdeck.engine.contract.dataset.report import count_characters, make_report
from sovdeck.engine.contract.problem import ExitCode, Problem

ROOT = Path(__file__).resolve().parents[3]
GOOD = ClipMeasurement(4.0, 32000, 1, peak=0.6, level_db=-20.0, noise_db=-60.0, clipped=0.0)


def checked(*changed: tuple[str, ClipMeasurement], count: int = 20) -> CheckedDataset:
    """`count` even clips of 20 characters in 4 s, with some replaced by (text, facts)."""
    pairs = [("あ" * (20 + n % 3), GOOD) for n in range(count - len(changed))] + list(changed)
    items = tuple(
        DatasetItem(n + 1, f"{n}.wav", Path(f"{n}.wav"), "mei", "ja", words)
        for n, (words, _) in enumerate(pairs)
    )
    facts = {f"{n}.wav": fact for n, (_, fact) in enumerate(pairs)}
    return CheckedDataset(DatasetManifest(Path("V.list"), items), facts)


def reasons(*changed: tuple[str, ClipMeasurement]) -> dict[str, list[str]]:
    report = make_report(checked(*changed))
    return {
        suspect.item.name: [reason.key.rsplit(".", 1)[1] for reason in suspect.reasons]
        for suspect in report.suspects
    }


def test_characters_without_a_sound_are_a_finding_worst_first() -> None:
    good = "あ" * 20
    report = make_report(checked((good[:16] + "мир안", GOOD), (good[:10] + "Здравствуйте", GOOD)))
    assert [suspect.item.name for suspect in report.suspects] == ["19.wav", "18.wav"]
    problem = report.suspects[1].reasons[0]
    assert problem.key == "engine.report.unread" and "м (17)" in problem.message.en
    assert "characters without sound" in "\n".join(report.format_lines("en"))
    assert [suspect.gloss for suspect in report.suspects] == ["Здравствуйте", "мир안"]
    assert report.as_json()["suspects"][1]["gloss"] == "мир안"
    table = report.format_lines("en")
    at = next(at for at, line in enumerate(table) if "gloss" in line)
    assert table[at + 1 : at + 3] == [
        "    line 20  19.wav  Здравствуйте",
        "    line 19  18.wav  мир안",
    ]
    named = make_report(checked(), lambda text, language: [("あ", 0)])
    assert len(named.suspects) == 20


def test_an_even_set_has_no_suspects() -> None:
    report = make_report(checked())
    assert report.suspects == () and report.clips == 20 and report.seconds == 80.0
    assert report.speaker_totals == (("mei", "ja", 20, 80.0),)
    assert sum(count for *_, count in report.histogram) == 20
    assert (3.0, 5.0, 20) in report.histogram
    assert (report.level_db, report.noise_db) == (-20.0, -60.0)


def test_texts_that_do_not_fit_their_sound() -> None:
    assert reasons(("あ" * 60, GOOD)) == {"19.wav": ["mismatch"]}
    assert reasons(("あ" * 4, GOOD)) == {"19.wav": ["mismatch"]}
    assert reasons(("あ" * 30, GOOD)) == {"19.wav": ["odd_pace"]}
    # Marks take no time: a text full of them is no outlier.
    assert reasons(("あ" * 20 + "、。！？…" * 8, GOOD)) == {}
    assert count_characters("あ、b 3。") == 3


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
    facts = {name: fact for name, fact in base.measurements.items() if name != "0.wav"}
    report = make_report(CheckedDataset(manifest, facts))
    assert report.unmeasured == 1 and report.clips == 20
    for language in ("en", "zh"):
        lines = report.format_lines(language)
        assert any(fault.message.get(language) in line for line in lines)
    assert json.loads(json.dumps(report.as_json()))["problems"][0]["code"] == "engine.data.fields"


def test_an_empty_set_reports_too() -> None:
    report = make_report(CheckedDataset(DatasetManifest(Path("V.list"), ()), {}))
    assert report.clips == 0 and report.level_db is None and report.format_lines("en")


def test_reasons_are_counted_in_few_words() -> None:
    base = checked(("あ" * 60, GOOD), ("あ" * 20, replace(GOOD, noise_db=-32.0)))
    faults = tuple(
        Problem("engine.data.fields", ExitCode.DATA, file="V.list", line=n, count=2)
        for n in (30, 31)
    )
    lines = make_report(
        CheckedDataset(replace(base.manifest, problems=faults), base.measurements)
    ).format_lines("en")
    assert "  left out: 2 wrong number of fields" in lines
    assert "  to listen to: 1 text hardly fits, 1 noisy" in lines
    assert any("usual pace in ja" in line for line in lines)


def test_every_reason_a_report_can_hold_has_few_words() -> None:
    words = load_entries("engine", "report")
    named = set()
    for path in (ROOT / "engine/contract/dataset").glob("*.py"):
        found = re.findall(r'"engine\.(?:data|report)\.([a-z_0-9]+)"', path.read_text("utf-8"))
        named |= set(found)
    of_lists = {"no_list", "strict", "which_list", "corrupt", "bad_words", "line_moved"}
    of_lists |= {"not_saved", "total", "spoken", "length", "levels", "unmeasured", "pace"}
    of_lists |= {"left_out", "listen", "remarks", "gloss", "gloss_row"}
    of_lists |= {"other_encoding", "no_encoding"}
    assert {f"short_{reason}" for reason in named - of_lists} <= set(words)
