"""The command itself: quick, torch-free, one sentence for each mistake."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from sovdeck.engine.contract.format import format_bytes, format_short_duration
from sovdeck.remote.printable import strip_controls
from sovdeck.tui.cli.console import display_width
from sovdeck.tui.cli.main import (
    CLI_COMMANDS,
    build_parser,
    detect_language,
    find_command,
    main,
    move_global_options_first,
    resolve_spelling,
)

ROOT = Path(__file__).resolve().parents[3]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment}
    command = [sys.executable, "-m", "sovdeck.tui", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=env, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize(
    ("lang", "word"), [("en", "download a packed voice"), ("zh", "下载打包好的声音")]
)
def test_help_lists_every_command_in_both_languages(lang: str, word: str) -> None:
    said = run("--help", SOVDECK_LANG=lang)
    assert said.returncode == 0 and word in said.stdout
    assert all(f"    {name}" in said.stdout for name in CLI_COMMANDS)


def test_help_costs_little_and_loads_nothing_heavy() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    # Printed, not asserted: a promise about time is kept by the benchmark, not by a test.
    print(f"sovdeck --help: {cpu * 1000:.0f} ms CPU")
    program = (
        "import sys; from sovdeck.tui.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch','numpy','textual','paramiko','fabric','pydantic','asyncssh','rich'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("name", sorted(CLI_COMMANDS))
def test_every_command_answers_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    assert left.value.code == 0 and f"usage: sovdeck {name}" in capsys.readouterr().out


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
    command = [sys.executable, "-m", "sovdeck.tui", *arguments]
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as closed:
        said = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, cwd=ROOT, text=True)
    assert (said.returncode, said.stderr) == (0, "")


def test_params_explains_each_in_the_chosen_language(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "zh", "params", "infer.top_k"]) == 0
    said = capsys.readouterr().out
    assert "只在概率最高的 k 个候选中抽取" in said and "1-100" in said


def test_a_command_is_not_taken_from_an_options_value() -> None:
    assert find_command(["--config", "data", "ps"]) == "ps"
    assert find_command(["--lang", "zh"]) is None
    assert detect_language(["--lang", "zh", "ps"]) == "zh"


def test_options_of_the_command_itself_may_stand_behind_the_command() -> None:
    given = ["ps", "--lang=zh", "box", "--debug", "--config", "my.toml"]
    assert move_global_options_first(given) == [
        "--lang",
        "zh",
        "--debug",
        "--config",
        "my.toml",
        "ps",
        "box",
    ]
    assert move_global_options_first(["ssh", "box", "--", "--lang", "en"]) == [
        "ssh",
        "box",
        "--",
        "--lang",
        "en",
    ]
    for unsaid in (["ps", "--lang"], ["--config=", "ps"]):
        assert move_global_options_first(unsaid) == unsaid, "left for the parser to complain of"


def test_a_word_too_many_names_the_command_whose_help_tells(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["server", "add", "box", "ssh -p 22 root@host", "--lang", "en"])
    said = capsys.readouterr().err
    assert left.value.code == 2 and "sovdeck server add --help" in said
    assert "ssh -p 22 root@host" in said


def test_widths_and_units_read_well() -> None:
    assert display_width("声音 ok") == 7
    assert [format_bytes(n) for n in (5, 84_900_000, 2e9)] == ["5 B", "84.9 MB", "2.0 GB"]
    assert [format_short_duration(n) for n in (7, 125, 3723, None)] == [
        "7 s",
        "2:05",
        "1:02:03",
        "–",
    ]


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_output_goes_out_on_any_console(encoding: str) -> None:
    def said(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sovdeck.tui", *arguments]
        env = {**os.environ, "PYTHONIOENCODING": encoding, "SOVDECK_LANG": "zh"}
        return subprocess.run(command, capture_output=True, encoding=encoding, cwd=ROOT, env=env)

    listed = said("params")
    assert listed.returncode == 0, listed.stderr
    assert "text.reading  Reading of transcripts" in listed.stdout  # not a Chinese console
    refused = said("--lang", "zh", "ps", "nosuch", "--json")
    assert refused.returncode == 2 and refused.stdout.isascii(), refused.stderr
    assert json.loads(refused.stdout)["message"]["zh"].startswith("没有")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_closed_stream_is_no_failure(closed: str) -> None:
    command = f"exec {sys.executable} -m sovdeck.tui params {closed}"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("data read box --language zh TEXT", {"server": "box", "text": "TEXT", "language": "zh"}),
        ("data read --language=zh box TEXT", {"server": "box", "text": "TEXT", "language": "zh"}),
        ("data read box TEXT --lang zh", {"server": "box", "text": "TEXT"}),
        ("data read box -- -5", {"server": "box", "text": "-5"}),
        ("pull box --no-verify Anna", {"server": "box", "voice": "Anna", "no_verify": True}),
        ("speak box --speed 1.2 Anna -", {"server": "box", "voice": "Anna", "text": "-"}),
        ("audition box Anna --gpt a b --show", {"voice": "Anna", "gpt": ["a", "b"], "show": True}),
        ("audition box --gpt a b --seed 3 Anna", {"voice": "Anna", "gpt": ["a", "b"], "seed": 3}),
        ("models get --set x one two", {"action": "get", "server": ["one", "two"], "set": "x"}),
    ],
)
def test_options_may_stand_between_the_words(line: str, expected: dict[str, object]) -> None:
    argv = move_global_options_first(line.split())
    parser, _ = build_parser(argv, "en")
    given = vars(parser.parse_args(argv))
    assert {name: given[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("typed", "en", "zh"),
    [
        ("trian gpu", 'perhaps "train"', "也许是“train”"),
        ("server ad x", 'perhaps "add"', "也许是“add”"),
        ("train gpu --vioce Anna", "perhaps --voice", "也许是 --voice"),
        ("frobnicate", "it can be demo, server", "可以是 demo, server"),
        ("data check", "something is missing: PATH", "缺少 PATH"),
        ("train gpu --voice", "--voice needs a value", "--voice 后面需要一个值"),
        ("ps --last many", '--last cannot be "many"', "--last 不能是“many”"),
        ("train gpu --queue --now", "exclude each other", "不能同时使用"),
    ],
)
def test_a_mistyped_line_is_told_in_plain_words(
    typed: str, en: str, zh: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for language, said in (("en", en), ("zh", zh)):
        with pytest.raises(SystemExit) as ended:
            main(["--lang", language, *typed.split()])
        assert ended.value.code == 2
        told = capsys.readouterr().err.splitlines()[-1]
        assert said in told, told
        if language == "zh":
            assert "argument" not in told and "invalid" not in told


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("server list", "server ls"),
        ("servers", "server ls"),
        ("--lang zh server remove box", "--lang zh server rm box"),
        ("voice list box", "voices box"),
        ("voice box", "voices box"),
        ("runs", "ps"),
        ("status gpu", "ps gpu"),
        ("version", "--version"),
        ("speak box server list", "speak box server list"),
        ("--config servers ps", "--config servers ps"),
    ],
)
def test_a_command_is_known_by_the_words_people_try(typed: str, meant: str) -> None:
    assert resolve_spelling(typed.split()) == meant.split()


def test_a_traceback_holds_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    """With --debug a failure is one, and what it says may be a server's words."""
    odd = "x\x1b]0;PWNED\x07\x9b2J\u202e.toml"
    argv = [sys.executable, "-m", "sovdeck.tui", "--debug", "--config", odd, "ps"]
    environ = {**os.environ, "PYTHONUTF8": "1", "SOVDECK_HOME": str(tmp_path)}
    done = subprocess.run(argv, capture_output=True, cwd=tmp_path, env=environ, check=False)
    said = done.stderr.decode()
    assert done.returncode == 1 and "Traceback" in said and "PWNED" in said
    assert strip_controls(said) == said
