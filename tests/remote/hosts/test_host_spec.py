"""Addresses: what providers print is understood; all else is one clear problem."""

from __future__ import annotations

import random
import shlex
import shutil
import string
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.hosts.host_key_options import HostKeyOptions
from sovdeck.remote.hosts.spec import HostSpec

GATE = HostSpec("gate.example", 2222, "me")


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        (
            "ssh -p 41022 root@connect.westb.seetacloud.com",
            HostSpec("connect.westb.seetacloud.com", 41022, "root"),
        ),
        (
            "ssh root@213.173.99.4 -p 12345 -i ~/.ssh/id_ed25519",
            HostSpec("213.173.99.4", 12345, "root", ("~/.ssh/id_ed25519",)),
        ),
        (
            "ssh -p 10022 root@ssh5.vast.ai -L 8080:localhost:8080",
            HostSpec("ssh5.vast.ai", 10022, "root"),
        ),
        (
            "ssh abc-64410ab7@ssh.runpod.io -i ~/.ssh/id_ed25519",
            HostSpec("ssh.runpod.io", 22, "abc-64410ab7", ("~/.ssh/id_ed25519",)),
        ),
        (
            "ssh -p 41022 root@host -i key -J me@gate.example:2222",
            HostSpec("host", 41022, "root", ("key",), (GATE,)),
        ),
        ("root@[2001:db8::7]:2222", HostSpec("2001:db8::7", 2222, "root")),
        ("2001:db8::7", HostSpec("2001:db8::7")),
        ("2001:DB8:0:0::7", HostSpec("2001:db8::7")),
        ("[2001:db8::7]", HostSpec("2001:db8::7")),
        ("fe80::1%eth0", HostSpec("fe80::1%eth0")),
        ("root@[fe80::1%eth0]:22", HostSpec("fe80::1%eth0", 22, "root")),
        ("ssh://user@[2001:db8::7]:2022", HostSpec("2001:db8::7", 2022, "user")),
        ("ssh://user@[fe80::1%25eth0]:22/", HostSpec("fe80::1%eth0", 22, "user")),
        ("Host.Example:2022", HostSpec("host.example", 2022)),
        ("host.example 2022", HostSpec("host.example", 2022)),
        ("host -p2022", HostSpec("host", 2022)),
        ("ssh -4Np 2022 -l root host", HostSpec("host", 2022, "root", family="4")),
        ("ssh -6 -o Port=2022 -o 'User root' host", HostSpec("host", 2022, "root", family="6")),
        ("ssh -o HostName=10.0.0.9 box", HostSpec("10.0.0.9", alias="box")),
        ("$ ssh -vvv root@host", HostSpec("host", 22, "root")),
        ("user@domain@host", HostSpec("host", 22, "user@domain")),
        ("ssh root@host # my box", None),
        ("ssh root@host # box", HostSpec("host", 22, "root", alias="box")),
        ("ssh\u00a0\u2013p 2022 root\uff20host", HostSpec("host", 2022, "root")),
        (r"ssh -i C:\Users\me\key root@host", HostSpec("host", 22, "root", (r"C:\Users\me\key",))),
        ("ssh -J none host", HostSpec("host")),
        ("b\u00fccher.example", HostSpec("xn--bcher-kva.example")),
    ],
)
def test_what_people_paste(text: str, spec: HostSpec | None) -> None:
    if spec is None:
        with pytest.raises(Problem):
            HostSpec.parse(text)
    else:
        assert HostSpec.parse(text) == spec


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("", "empty"),
        ("ssh", "empty"),
        ("ssh -p 22", "no_host"),
        ("ssh 'root@host", "open_quote"),
        ("root@host:700000", "bad_port"),
        ("host:0", "bad_port"),
        ("ssh -p abc host", "bad_port"),
        ("host:abc", "no_port_after_colon"),
        ("host:", "no_port_after_colon"),
        ("ssh -p 22 host:23", "two_ports"),
        ("ho st/x", "extra_words"),
        ("https://host", "bad_scheme"),
        ("ssh -F other host", "bad_option"),
        ("ssh -o ProxyCommand=nc host", "bad_option"),
        ("ssh host -p", "no_value"),
        ("2001:db8::7::1", "bad_v6"),
        ("[2001:db8::7", "bad_v6"),
        ("[host]:22", "bad_v6"),
        ("ssh -- -oProxyCommand=evil", "bad_option"),
        ("root@-oProxyCommand=evil", "bad_name"),
        ("$(id)@host", "bad_user"),
        ("/root/key", "bad_name"),
        ("ssh -i '' host", "bad_identity"),
    ],
)
def test_what_cannot_be_an_address_is_said_so(text: str, entry: str) -> None:
    with pytest.raises(Problem) as caught:
        HostSpec.parse(text)
    assert caught.value.key == f"remote.host.{entry}"
    assert caught.value.exit_code is ExitCode.CONFIG
    assert caught.value.hint.en and caught.value.hint.zh


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("ssh -p abc host", "abc"),
        ("ssh host -oPort=4oo22", "4oo22"),
        ("ssh -p 2\u202e2 host", "2?2"),
        ("host:700000", "700000"),
    ],
)
def test_what_is_no_port_is_quoted_as_it_was_typed(text: str, typed: str) -> None:
    with pytest.raises(Problem) as caught:
        HostSpec.parse(text)
    assert f'"{typed}" is not a port' in caught.value.sentence()
    assert f"“{typed}”不是端口" in caught.value.sentence("zh")


@pytest.mark.parametrize(
    "text",
    [
        "ssh://root:hunter2@host",
        "root:hunter2@host",
        "ssh -p 22 root@host hunter2",
        "ssh -p 22 root@host\nhunter2 ",
        "root@host:hunter2",
        "ssh -l root:hunter2 host",
        "[2001:db8::7]:hunter2",
        "sshpass -p hunter2 ssh root@host",
    ],
)
def test_a_pasted_password_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(Problem) as caught:
        HostSpec.parse(text)
    everything = f"{caught.value!r} {caught.value.sentence()} {caught.value.facts}"
    assert "hunter2" not in everything + caught.value.sentence("zh")


def test_lines_to_copy_are_quoted_and_bracketed() -> None:
    spec = HostSpec("2001:db8::7", 2222, "root", ("/a b/key",), (GATE,), "6", "box")
    lines = spec.command_lines()
    options = "-i '/a b/key' -J me@gate.example:2222"
    assert lines.ssh == f"ssh -6 -p 2222 {options} root@2001:db8::7"
    assert lines.scp == f"scp -6 -P 2222 {options} FILE 'root@[2001:db8::7]:'"
    assert lines.sftp == f"sftp -6 -P 2222 {options} 'root@[2001:db8::7]'"
    assert shlex.split(lines.rsync)[:4] == ["rsync", "-a", "-e", f"ssh -6 -p 2222 {options}"]
    assert HostSpec("host").command_lines().ssh == "ssh host"


names = st.from_regex(r"[a-z0-9_]([a-z0-9_.-]{0,20}[a-z0-9_])?", fullmatch=True)
hosts = names | st.ip_addresses().map(str)
zoned = st.from_regex(r"fe80::[1-9a-f]{1,4}%[a-z0-9_.-]{1,8}", fullmatch=True)
printable = st.text(min_size=1, max_size=20).filter(str.isprintable)
users = st.just("") | st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters="'\"`$;&<>|(){}:,/\\-"),
    min_size=1,
    max_size=20,
)
ports = st.integers(1, 65535)
hops = st.builds(HostSpec, hosts | zoned, ports, users)
key_names = st.text("abc019.-_", min_size=1, max_size=9)
paths = st.text("ab/ .~'#$\\é", min_size=1, max_size=9).filter(lambda text: text[0] != "#")
rules = st.builds(
    HostKeyOptions, st.just("") | key_names, st.lists(paths, max_size=2).map(tuple), st.booleans()
)
specs = st.builds(
    HostSpec,
    hosts | zoned,
    ports,
    users,
    st.lists(printable, max_size=2).map(tuple),
    st.lists(hops, max_size=2).map(tuple),
    st.sampled_from(["auto", "4", "6"]),
    st.just("") | printable.filter(lambda text: text == text.strip()),
    st.booleans(),
    st.lists(printable.filter(lambda text: text == text.strip()), max_size=2).map(tuple),
    rules,
)


@settings(max_examples=300, deadline=None)
@given(specs)
def test_format_reads_back(spec: HostSpec) -> None:
    assert HostSpec.parse(spec.format()) == spec


def understood(text: str) -> None:
    """Parse, allowing only Problem; what is taken must read back."""
    try:
        spec = HostSpec.parse(text)
    except Problem as problem:
        assert problem.key.startswith("remote.host.")
        return
    assert HostSpec.parse(spec.format()) == spec


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_taken_or_refused(text: str) -> None:
    understood(text)


FRAGMENTS = [
    *(
        "ssh",
        " ",
        " ",
        "-p",
        "-i",
        "-J",
        "-o",
        "-4",
        "-l",
        "-",
        "--",
        "root",
        "@",
        ":",
        "::",
        "[",
        "]",
    ),
    *("%", "eth0", "22", "65536", "host", "example.com", "2001:db8::7", "fe80::1", "ssh://", "#"),
    *(
        "'",
        '"',
        "\\",
        "$",
        "Port=",
        "ProxyJump=",
        "HostKeyAlias=",
        "UserKnownHostsFile=",
        "CertificateFile=",
        "StrictHostKeyChecking=yes",
        ",",
        "none",
        "\u3000",
        "\uff1a",
        "\x00",
        "\n",
        "é",
    ),
    *string.printable,
]


def random_lines(count: int, seed: int) -> None:
    rng_state = random.Random(seed)
    for _ in range(count):
        understood("".join(rng_state.choices(FRAGMENTS, k=rng_state.randint(1, 12))))


def test_random_lines() -> None:
    random_lines(10_000, 1)


@pytest.mark.long
@pytest.mark.slow
def test_a_million_random_lines() -> None:
    random_lines(1_000_000, 2)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh client on this machine")
@pytest.mark.parametrize(
    "spec",
    [
        HostSpec("host.example", 2022, "root", ("key",), (GATE,)),
        HostSpec("2001:db8::7", 22, "me", family="6"),
        HostSpec("fe80::1%eth0", 2022, "user"),
    ],
)
def test_openssh_reads_our_line_the_same_way(spec: HostSpec, tmp_path: Path) -> None:
    if spec.identity:  # ssh drops a key file that is not there
        (tmp_path / "a b").touch()
        spec = replace(spec, identity=(str(tmp_path / "a b"),))
    argv = shlex.split(spec.command_lines().ssh)
    argv[1:1] = ["-G", "-F", "none"]
    out = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    settings = dict(line.split(" ", 1) for line in out.splitlines() if " " in line)
    assert settings["hostname"] == spec.host and settings["port"] == str(spec.port)
    assert settings["user"] == spec.user
    if spec.jump:
        assert settings["proxyjump"] == "me@gate.example:2222"
    if spec.identity:
        assert f"identityfile {spec.identity[0]}" in out.splitlines()
