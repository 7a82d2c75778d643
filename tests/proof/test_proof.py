"""The quick slice of `make proof`, one test a promise, in the gate."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fuzz import feed, kept  # noqa: E402 - tests/ is not a package
from parsers import PARSERS  # noqa: E402
from promises import PROMISES  # noqa: E402
from provider_answers import ANSWERS, QUESTIONS, read_with  # noqa: E402
from reading import Parser  # noqa: E402
from report import Outcome, Promise, format_row, try_promise  # noqa: E402


@pytest.mark.long
@pytest.mark.sshd
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.name)
def test_promise(promise: Promise) -> None:
    row, outcome = try_promise(promise, promise.quick, seed=1)
    assert outcome.failures == [], format_row(row)
    assert outcome.trials >= 1


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_what_is_fuzzed_comes_near_what_is_understood(parser: Parser) -> None:
    for number, sample in enumerate(parser.samples):
        assert parser.read(sample), f"{parser.name}, sample {number}: refused at its beginning"


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_what_once_broke_a_reader_does_not_any_more(parser: Parser) -> None:
    for data in kept(parser):
        assert feed(parser, data) == "", repr(data)[:300]


def test_each_question_to_a_provider_is_answered_by_a_sample() -> None:
    for account, samples in ANSWERS:
        answered = [read_with(account)(sample) for sample in samples]
        assert set().union(*answered) == {one.__name__ for one in QUESTIONS}, account.name


def test_what_escapes_from_a_promise_is_a_failure() -> None:
    def broken(trials: int, seed: int, folder: Path) -> Outcome:
        raise OSError(f"{trials} {seed} {folder.is_dir()}")

    row, outcome = try_promise(Promise("p", "A promise.", 1, 2, broken), 2, seed=7)
    assert (row.trials, row.failures, row.seed) == (1, 1, 7) and "2 7 True" in outcome.failures[0]
    assert format_row(row).startswith("FAILED")


def test_a_secret_is_found_in_whatever_spelling(tmp_path: Path) -> None:
    import secrets_kept

    (tmp_path / "clean").write_bytes(b"nothing to see")
    assert secrets_kept.find_in_files(tmp_path) == []
    for number, spelling in enumerate(secrets_kept.spellings("pw-Zq8#planted")):
        (tmp_path / f"{number}.bin").write_bytes(b"\0" + spelling + b"\0")
    assert len(secrets_kept.find_in_files(tmp_path)) == 3
