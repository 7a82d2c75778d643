"""Each way to be wrong has a sentence of its own, in both languages, with what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.config.load import examine_config, load_config
from sovdeck.remote.config.paths import AppPaths

CASES = {
    "a whole number": (
        '[servers.a]\nhost = "h"\nport = "x"\n',
        "3: servers.a.port: this must be a whole number",
    ),
    "a number": ('[pull]\nlimit_mbit = "fast"\n', "2: pull.limit_mbit: this must be a number"),
    "a switch": ('[pull]\nverify = "perhaps"\n', "2: pull.verify: this is a switch. Write true"),
    "text": ("[train]\nvoice = 3\n", "2: train.voice: this must be text. Put it in quotes"),
    "a list": ('[python]\nindex = "a"\n', "2: python.index: this must be a list"),
    "a section": ("pull = 3\n", "1: pull: this must be a section"),
    "servers a section": ("servers = 3\n", "1: servers: this must be a section"),
    "a choice": (
        '[pull]\nauto = "always"\n',
        '"always" is not possible. Choose one of: off, each, best',
    ),
    "too small": (
        "[pull]\nconnections = -1\n",
        "2: pull.connections: -1 is too small. It must be at least 0",
    ),
    "too large": (
        "[network]\ntimeout = 900\n",
        "2: network.timeout: 900 is too large. It may be 300",
    ),
    "too long": (
        '[servers.a]\nhost = "h"\ncurrency = "Bottlecaps"\n',
        "3: servers.a.currency: this is too long",
    ),
    "a length of time": (
        '[autostop]\nidle = "soon"\n',
        '2: autostop.idle: "soon" is no length of time. Write',
    ),
    "a server's name": (
        '[servers."a b"]\nhost = "h"\n',
        "1: servers.a b: this cannot name a server",
    ),
    "a fingerprint": (
        '[servers.a]\nhost = "h"\nhost_key = "SHA256:x"\n',
        "3: servers.a.host_key: this is no fingerprint",
    ),
    "a build": ('[python]\ntorch = "cuda12"\n', "2: python.torch: this is no build of torch"),
    "a host": ('[servers.a]\nhost = "2001:zz::7"\n', '2: servers.a.host: "2001:zz::7"'),
    "a hop": ('[servers.a]\nhost = "h"\njump = "x y"\n', '3: servers.a.jump: "x y"'),
    "a family": ('[servers.a]\nhost = "::1"\nfamily = "4"\n', "::1 is no IPv4 address"),
    "no address": ("[servers.a]\nport = 22\n", "1: servers.a: a server needs one address"),
    "a port in the line": (
        '[servers.a]\nssh = "ssh -p 70000 root@h"\n',
        '2: servers.a.ssh: "70000" is not a port',
    ),
    "a voice": ('[train]\nvoice = "a/b"\n', '2: train.voice: "a/b" cannot name a voice'),
    "a long number": (f"version = {'9' * 5000}\n", "1: TOML: a value is too large to read"),
    "no section": (
        "[nonsense_zzz]\na = 1\n",
        'unknown key "nonsense_zzz". Known here are: version, default_server',
    ),
    "a near section": ('[autostpo]\nidle = "1h"\n', 'Did you mean "autostop"?'),
    "a near key": (
        '[notify]\nwebhok = "x"\n',
        '2: notify.webhok: unknown key "webhok". Did you mean "webhook"?',
    ),
}


def sentences(tmp_path: Path, text: str) -> Problem:
    path = tmp_path / "deploy.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Problem) as caught:
        load_config(path, AppPaths.below(tmp_path))
    return caught.value


@pytest.mark.parametrize(("text", "said"), CASES.values(), ids=list(CASES))
def test_a_fault_says_where_what_and_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    problem = sentences(tmp_path, text)
    english, chinese = problem.sentence("en"), problem.sentence("zh")
    assert said in english
    assert "1 fault:" in english and english.splitlines()[-1].startswith("Mend them")
    line = next(line for line in chinese.splitlines() if line.startswith("deploy.toml:"))
    assert re.search("[\u4e00-\u9fff]", line), line


@pytest.mark.parametrize(
    "text",
    [
        '[servers.a]\nhost = "h"\npassword = "hunter2"\n',
        '[servers.a]\nssh = "ssh root:hunter2@h"\n',
        '[python]\nindex = ["https://me:hunter2@mirror.example/simple"]\n',
        '[notify]\nwebhook = "https://hooks.example/hunter2"\n',
        '[notify]\nwebhook_token = "hunter2"\n',
        '[servers.a]\nhost = "h"\npasword = "hunter2"\n',
    ],
    ids=["key", "ssh line", "index", "webhook", "token", "misspelt"],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    problem = sentences(tmp_path, text)
    assert "hunter2" not in problem.sentence("en") + problem.sentence("zh") + str(problem.facts)
    assert "deploy.toml:" in problem.sentence()
    assert "Did you mean" not in problem.sentence()


def test_faults_of_both_files_come_in_one_answer(tmp_path: Path) -> None:
    places = AppPaths.below(tmp_path)
    places.config_folder.mkdir()
    places.servers_file.write_text('[servers.a]\nhots = "h"\n', "utf-8")
    problem = sentences(tmp_path, "[pull]\nauto = 3\n")
    assert "servers.toml:2: servers.a.hots" in problem.sentence()
    assert "deploy.toml:2: pull.auto" in problem.sentence()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[models]\nset = "v2"\n[train]\npretrained = "mine"\n', 'starts from "mine"'),
        ('[autostop]\nidle = "1h"\npull_deadline = ""\n', "waits for a pull without end"),
        (
            '[autostop]\nmax_cost = 3\n[servers.gpu]\nhost = "h"\n[train]\nvoice = "a/b"\n',
            "price_per_hour, which is not set for: gpu",
        ),
        ('[models]\nset = "mine"\n[train]\npretrained = "mine"\n', ""),
        ('[train]\npretrained = ""\n', ""),
    ],
)
def test_sections_that_contradict_each_other_are_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "deploy.toml"
    path.write_text(text, encoding="utf-8")
    advice = examine_config(path, AppPaths.below(tmp_path)).advice
    assert [said in one.en and bool(one.zh) for one in advice] == ([True] if said else [])
