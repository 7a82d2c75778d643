"""A server is not believed: what its engine sends has limits, types, and no power over files."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import Place

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.speech import audition
from sovdeck.remote.speech.json_lines import EngineProblem, parse_engine_problem, run_engine_command
from sovdeck.remote.speech.speech_session import SpeechChunk, SpeechSession
from sovdeck.remote.ssh.client import SSHConnection
from sovdeck.remote.transfer.download.small_file import fetch_small_file

Play = Callable[..., Deployed]
PCM = base64.b64encode(b"\x01\x00" * 100).decode()
PIECE = {"id": 1, "event": "piece", "index": 0, "text": "x", "rate": 32000, "pcm": PCM}
DONE = {
    "id": 1,
    "event": "done",
    "wav": "takes/a.wav",
    "bytes": 244,
    "sha256": "0" * 64,
    "seconds": 0.1,
    "seed": 1,
}


@pytest.fixture(scope="module")
def link(embedded: Place) -> Iterator[SSHConnection]:
    with embedded.connect() as link:
        yield link


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """An engine that is a script: says `ready`, reads a line, then says what it is given."""

    def make(*lines: object, before: str = "", after: str = "cat >/dev/null") -> Deployed:
        said = tmp_path / "said"
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        said.write_text("".join(f"{text}\n" for text in texts), "utf-8")
        script = tmp_path / "python"
        script.write_text(
            f"#!/bin/sh\n{before}\necho 'Welcome to this server'\n"
            f'echo \'{{"event": "ready"}}\'\nread line\ncat "{said}"\n{after}\n'
        )
        script.chmod(0o755)
        return Deployed(Layout.at(tmp_path.as_posix()), str(script), "0")

    return make


def speak(link: SSHConnection, deployed: Deployed) -> tuple[list[SpeechChunk], Problem]:
    heard: list[SpeechChunk] = []
    with SpeechSession(link, deployed, "V") as speaker, pytest.raises(Problem) as refused:
        speaker.speak({"text": "x"}, heard.append)
    return heard, refused.value


def test_noise_before_and_between_answers_is_left_out(link: SSHConnection, play: Play) -> None:
    heard: list[SpeechChunk] = []
    noise = ("", "[1]", "{torn", '{"id": 7, "event": "done"}', "null")
    text = {**PIECE, "text": "a\x1b[2Jb\u202ec", "attempts": 1e300, "error": "bad"}
    with SpeechSession(link, play(*noise, text, *noise, DONE), "V") as speaker:
        assert speaker.speak({}, heard.append).seed == 1
    assert [(one.text, one.attempts, one.error) for one in heard] == [("abc", 1, None)]


@pytest.mark.parametrize(
    "change",
    [
        {"pcm": "!!"},
        {"pcm": PCM[:1]},
        {"pcm": 5},
        {"rate": 48000},
        {"index": 3},
        {"event": "?"},
        {"pcm": base64.b64encode(b"odd").decode()},
    ],
    ids=["not base64", "torn", "a number", "another rate", "out of order", "unknown", "odd bytes"],
)
def test_a_piece_that_makes_no_sense_ends_the_talk(
    link: SSHConnection, play: Play, change: dict[str, object]
) -> None:
    heard, problem = speak(link, play({**PIECE, **change}, DONE))
    assert heard == [] and problem.key == "remote.speak.odd"


@pytest.mark.parametrize(
    "change",
    [{"bytes": -1.5}, {"seed": None}, {"sha256": "../x"}, {"seconds": "1"}],
    ids=["bytes", "seed", "hash", "seconds"],
)
def test_an_end_that_makes_no_sense(
    link: SSHConnection, play: Play, change: dict[str, object]
) -> None:
    assert speak(link, play(PIECE, {**DONE, **change}))[1].key == "remote.speak.odd"


def test_an_endless_line_is_cut_off(link: SSHConnection, play: Play) -> None:
    endless = "tr '\\0' x </dev/zero"
    assert speak(link, play('{"id": 1,', after=endless))[1].key == "remote.speak.flood"


@pytest.fixture
def app_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppPaths:
    monkeypatch.setenv("SOVDECK_HOME", str(tmp_path / "laptop"))
    return AppPaths.locate()


@pytest.mark.parametrize(
    "words",
    [
        r"Traceback\n\033[31mMemoryError",
        r"RuntimeError: DefaultCPUAllocator: can\047t allocate memory: it wanted 9 bytes",
        r"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
        r"terminate called after throwing an instance of\n  what():  std::bad_alloc",
        r"OSError: [Errno 12] Cannot allocate memory\nException ignored in: <function at 0>",
    ],
)
def test_memory_is_blamed_where_the_engine_blames_it(
    link: SSHConnection, play: Play, words: str
) -> None:
    _, problem = speak(link, play(PIECE, after=f"printf '{words}\\n' >&2; exit 9"))
    assert (problem.key, problem.exit_code) == ("remote.speak.no_memory", ExitCode.MEMORY)
    assert "\x1b" not in problem.sentence()


def test_an_engine_that_was_killed_had_most_likely_no_memory(
    link: SSHConnection, play: Play
) -> None:
    _, problem = speak(link, play(PIECE, after="echo 'some warning' >&2; kill -9 $$"))
    assert (problem.key, problem.exit_code) == ("remote.speak.killed", ExitCode.MEMORY)


def test_any_other_end_is_told_in_the_engine_s_words_and_blames_no_memory(
    link: SSHConnection, play: Play, app_paths: AppPaths
) -> None:
    dying = r"printf 'Traceback\n  line 7\nKeyError: \033[31mspk\n\n' >&2; exit 1"
    _, problem = speak(link, play(PIECE, after=dying))
    assert problem.key == "remote.speak.ended" and problem.facts["why"] == "KeyError: spk"
    (log,) = app_paths.engine_ends_folder.iterdir()
    assert log.read_text("utf-8") == "Traceback\n  line 7\nKeyError: spk\n"
    assert log.stat().st_mode & 0o77 == 0
    for sentence in (problem.sentence("en"), problem.sentence("zh")):
        assert str(log) in sentence and "sovdeck doctor" in sentence
        assert "memory" not in sentence and "内存" not in sentence


def test_an_engine_that_ends_without_a_word_says_its_code(link: SSHConnection, play: Play) -> None:
    _, problem = speak(link, play(PIECE, after="exit 5"))
    assert problem.key == "remote.speak.ended_silent" and "code 5" in problem.sentence()


def test_where_its_words_cannot_be_kept_the_end_is_told_all_the_same(
    link: SSHConnection, play: Play, app_paths: AppPaths
) -> None:
    app_paths.cache_folder.parent.mkdir()
    app_paths.cache_folder.write_text("no folder")
    _, problem = speak(link, play(PIECE, after="echo odd >&2; exit 1"))
    assert problem.key == "remote.speak.ended" and "not kept here" in problem.sentence()


def test_refusals_are_taken_in_their_own_words_only_when_they_are_refusals() -> None:
    words = {"en": "No.\x1b[31m", "zh": "不。", "fr": "Non."}
    said = {"code": "engine.a.b", "message": words, "hint": 5, "exit_code": 3}
    found = parse_engine_problem(said)
    assert isinstance(found, EngineProblem) and found.exit_code is ExitCode.DATA
    assert (found.sentence("en"), found.sentence("zh")) == ("No.", "不。")
    for exit_code in (0, 99, "3", None, True):
        odd = parse_engine_problem({**said, "exit_code": exit_code})
        assert odd is not None and odd.exit_code is ExitCode.INTERNAL
    for bad in ({**said, "code": "remote.host.x"}, {**said, "code": 1}, {**said, "message": "m"}):
        assert parse_engine_problem(bad) is None


def test_an_answer_that_never_ends_is_given_up(link: SSHConnection, play: Play) -> None:
    with pytest.raises(Problem) as slow:
        run_engine_command(link, play(before="exec sleep 30"), ["voice-assets", "V"], timeout=0.5)
    assert slow.value.key == "remote.connection.too_long"


@pytest.mark.parametrize("wav", ["../x.wav", "/etc/x.wav", "a/b.wav", "x.exe", ".wav", "CON.wav"])
def test_a_cell_cannot_name_a_file_elsewhere(link: SSHConnection, play: Play, wav: str) -> None:
    row = {"event": "cell", "cell": "c", "kind": "cell", "wav": wav}
    assert audition._parse_update(row) is None
    assert audition._parse_update({**row, "wav": "cell-a-b-r0-s0.wav"}) is not None


def test_a_small_file_is_whole_or_absent(link: SSHConnection, tmp_path: Path) -> None:
    there, here = tmp_path / "there.wav", tmp_path / "in" / "here.wav"
    there.write_bytes(b"sound")
    digest = "d8ad50de14ed4ebae5dc3b20c90a0d0e6eaab85e4a4a30c52f1b9a3b5fd0b2e4"
    for size, sha256 in ((5, digest), (4, digest), (999, digest)):
        with pytest.raises(Problem) as changed:
            fetch_small_file(lambda: link, str(there), here, size=size, sha256=sha256)
        assert changed.value.key == "remote.transfer.changed"
    assert not here.parent.exists()
