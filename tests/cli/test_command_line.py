"""The command itself: quick, torch-free, one sentence for each mistake."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tui.cli import VERBS, asked_verb, chosen_language, common_first, main
from tui.console import cells, duration, size

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment}
    command = [sys.executable, "-m", "tui", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=env, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize(
    ("lang", "word"), [("en", "download a packed voice"), ("zh", "下载打包好的声音")]
)
def test_help_lists_every_verb_in_both_languages(lang: str, word: str) -> None:
    said = run("--help", SOVDECK_LANG=lang)
    assert said.returncode == 0 and word in said.stdout
    assert all(f"    {verb}" in said.stdout for verb in VERBS)


def test_help_costs_little_and_loads_nothing_heavy() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    # Printed, not asserted: a promise about time is kept by the benchmark, not by a test.
    print(f"sovdeck --help: {cpu * 1000:.0f} ms CPU")
    program = (
        "import sys; from tui.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch','numpy','textual','paramiko','fabric','pydantic','asyncssh','rich'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_answers_help(verb: str) -> None:
    said = run(verb, "--help")
    assert said.returncode == 0 and "usage: sovdeck" in said.stdout


def test_without_a_terminal_the_dashboard_says_so_in_one_sentence() -> None:
    said = run()
    assert said.returncode == 2 and said.stdout == ""
    assert said.stderr.count("\n") == 1 and "needs a terminal" in said.stderr


def test_an_unknown_parameter_gets_the_nearest_and_exit_2() -> None:
    said = run("params", "gpt.epoch")
    assert said.returncode == 2 and 'Did you mean "gpt.epochs"?' in said.stderr
    assert "Traceback" not in said.stderr


def test_json_problems_are_one_object() -> None:
    said = run("params", "gpt.epoch", "--json")
    record = json.loads(said.stdout)
    assert record["status"] == "error" and record["exit_code"] == 2 and record["hint"]["zh"]


@pytest.mark.parametrize("arguments", [("params",), ("params", "gpt.epoch", "--json")])
def test_a_reader_that_left_is_no_error(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "tui", *arguments]
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as closed:
        said = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, cwd=ROOT, text=True)
    assert (said.returncode, said.stderr) == (0, "")


def test_params_explains_each_in_the_chosen_language(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "zh", "params", "infer.top_k"]) == 0
    said = capsys.readouterr().out
    assert "只在概率最高的 k 个候选中抽取" in said and "1-100" in said


def test_a_verb_is_not_taken_from_an_options_value() -> None:
    assert asked_verb(["--config", "data", "ps"]) == "ps"
    assert asked_verb(["--lang", "zh"]) is None
    assert chosen_language(["--lang", "zh", "ps"]) == "zh"


def test_options_of_the_command_itself_may_stand_behind_the_verb() -> None:
    given = ["ps", "--lang=zh", "box", "--debug", "--config", "my.toml"]
    assert common_first(given) == ["--lang", "zh", "--debug", "--config", "my.toml", "ps", "box"]
    assert common_first(["ssh", "box", "--", "--lang", "en"]) == [
        "ssh",
        "box",
        "--",
        "--lang",
        "en",
    ]
    for unsaid in (["ps", "--lang"], ["--config=", "ps"]):
        assert common_first(unsaid) == unsaid, "left for the parser to complain of"


def test_a_word_too_many_names_the_verb_whose_help_tells(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["server", "add", "box", "ssh -p 22 root@host", "--lang", "en"])
    said = capsys.readouterr().err
    assert left.value.code == 2 and "sovdeck server add --help" in said
    assert "ssh -p 22 root@host" in said


def test_widths_and_units_read_well() -> None:
    assert cells("声音 ok") == 7
    assert [size(n) for n in (5, 84_900_000, 2e9)] == ["5 B", "84.9 MB", "2.0 GB"]
    assert [duration(n) for n in (7, 125, 3723, None)] == ["7 s", "2:05", "1:02:03", "-"]
