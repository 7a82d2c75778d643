"""The agent gives the same answers with Python, with openssl and with coreutils alone."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from pipe_server import Ended

from engine.contract.problem import ExitCode, Problem
from remote.transfer import agent_call, agent_reading, agent_staging
from remote.transfer.agent_reading import Named
from remote.transfer.agent_staging import Held, Wanted

PLAIN = ("sh", "cut", "wc", "tr", "stat", "dd", "mkdir", "cp", "mv", "rm", "rmdir", "find", "grep",
         "date", "nice", "cat", "xargs", "tar")  # fmt: skip
TOOLS = {
    "python": (*PLAIN, "python3"),
    "old python": (*PLAIN, "python3", "openssl"),
    "openssl": (*PLAIN, "openssl"),
    "coreutils": (*PLAIN, "sha256sum"),
}


class Shell:
    """A link whose server has only the named programs."""

    def __init__(self, home: Path, programs: tuple[str, ...], python: str) -> None:
        self.home = home
        self.bin = home.parent / "bin"
        self.bin.mkdir()
        for name in programs:
            found = python if name == "python3" else shutil.which(name)
            assert found, name
            (self.bin / name).symlink_to(found)

    def age(self) -> None:
        """Let Python be one that cannot read the source."""
        (self.bin / "python3").unlink()
        (self.bin / "python3").write_text("#!/bin/sh\necho SyntaxError >&2\nexit 1\n")
        (self.bin / "python3").chmod(0o755)

    def run(self, argv, *, stdin=b"", timeout=None):  # type: ignore[no-untyped-def]
        environment = {"PATH": str(self.bin), "HOME": str(self.home), "LC_ALL": "C"}
        done = subprocess.run(argv, input=stdin, capture_output=True, cwd=self.home,
                              env=environment, timeout=timeout)  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture(params=sorted(TOOLS))
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    import sys

    home = tmp_path / "home"
    home.mkdir()
    shell = Shell(home, TOOLS[request.param], os.path.realpath(sys.executable))
    if request.param == "old python":
        shell.age()
    return shell


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_it_is_nice_to_a_training(shell: Any) -> None:
    (shell.home / "a").write_bytes(b"1")
    (shell.bin / "nice").unlink()
    (shell.bin / "nice").write_text('#!/bin/sh\necho "$1 $2" >>niceness\nshift 2\nexec "$@"\n')
    (shell.bin / "nice").chmod(0o755)
    assert agent_reading.digest(shell, "a", 1).whole == sha(b"1")
    assert set((shell.home / "niceness").read_text().splitlines()) == {"-n 10"}


def test_a_list_that_was_cut_places_nothing_under_half_a_name(shell: Any) -> None:
    data = b"sound"
    staging = shell.home / "set" / agent_staging.STAGING
    staging.mkdir(parents=True)
    (staging / sha(data)).write_bytes(data)
    whole = Wanted("wavs/a.wav", len(data), sha(data)).line()
    shell.run(agent_call.argv("place", "set"), stdin=whole[:-3])
    assert not (shell.home / "set" / "wavs").exists()
    assert agent_staging.place(shell, "set", [Wanted("wavs/a.wav", len(data), sha(data))]) == set()
    assert (shell.home / "set" / "wavs" / "a.wav").read_bytes() == data


NAME = " odd 'name' $(touch x) 声\\n"


@pytest.mark.parametrize("data", [b"", b"x" * 10, b"ab" * 100])
def test_digest_of_a_file_and_its_blocks(shell: Any, data: bytes) -> None:
    (shell.home / NAME).write_bytes(data)
    os.utime(shell.home / NAME, (7, 7))
    answer = agent_reading.digest(shell, NAME, len(data), block=64)
    assert answer.whole == sha(data)
    assert list(answer.blocks) == [sha(data[n : n + 64]) for n in range(0, len(data), 64)]
    assert (answer.identity.size, answer.identity.mtime) == (len(data), 7)
    assert agent_reading.digest(shell, NAME, 0).blocks == ()
    assert agent_reading.identity(shell, NAME) == answer.identity
    assert not (shell.home / "x").exists()


def test_a_missing_file_is_told_from_a_broken_one(shell: Any) -> None:
    with pytest.raises(Problem) as caught:
        agent_reading.digest(shell, "-n none", 0)
    assert caught.value.key == "remote.transfer.no_such_file"
    (shell.home / "folder").mkdir()
    with pytest.raises(Problem) as caught:
        agent_reading.digest(shell, "folder", 0)
    assert caught.value.exit_code is ExitCode.DATA


def test_have_and_place(shell: Any) -> None:
    folder = shell.home / "data"
    staging = folder / agent_staging.STAGING
    staging.mkdir(parents=True)
    (folder / "here").write_bytes(b"here")
    (folder / "stale").write_bytes(b"old")
    whole, part = b"w" * 100, b"p" * 130
    (staging / sha(whole)).write_bytes(whole)
    (staging / sha(part)).write_bytes(part[:70])
    wanted = [
        Wanted("here", 4, sha(b"here")), Wanted("stale", 3, sha(b"new")),
        Wanted("sub/dir/ " + NAME, 100, sha(whole)), Wanted("part", 130, sha(part)),
        Wanted("twin", 100, sha(whole)),
    ]  # fmt: skip
    held = agent_staging.have(shell, "data", wanted, 64)
    assert held == [
        Held(present=True), Held(), Held(staged=True),
        Held(blocks=((0, sha(part[:64])), (1, sha(part[64:70])))), Held(staged=True),
    ]  # fmt: skip
    assert agent_staging.place(shell, "data", wanted[1:]) == {0, 2}
    assert (folder / ("sub/dir/ " + NAME)).read_bytes() == whole
    assert (folder / "twin").read_bytes() == whole
    assert (folder / "stale").read_bytes() == b"old" and not (folder / "part").exists()


def test_what_is_kept_is_placed_and_what_changed_after_is_not(shell: Any) -> None:
    staging = shell.home / "d" / agent_staging.STAGING
    data = os.urandom(65536 + 5)
    wanted = [Wanted("a", len(data), sha(data))]
    path = f"d/{agent_staging.STAGING}/{sha(data)}"
    for harm in (False, True):
        staging.mkdir(parents=True)  # `place` takes it away when it is empty
        said = shell.run(agent_call.argv("keep", "d", sha(data), "0"), stdin=data)
        assert said.code == 0 and (shell.home / path).read_bytes() == data
        if harm:
            (shell.home / path).write_bytes(data[::-1])
        assert agent_staging.place(shell, "d", wanted) == ({0} if harm else set())
    staging.mkdir(exist_ok=True)
    shell.run(agent_call.argv("keep", "d", sha(data), "0"), stdin=data)
    shell.run(agent_call.argv("keep", "d", sha(data), "65536"), stdin=b"12345")
    assert (shell.home / path).read_bytes()[65536:] == b"12345", "from the offset on"
    (shell.home / path).unlink()
    assert (shell.home / "d/a").read_bytes() == data


def packed(contents: dict[str, bytes]) -> bytes:
    """A tar of contents under these names, with more after its end mark than one record."""
    pieces = []
    for name, data in contents.items():
        head = tarfile.TarInfo(name)
        head.size, head.mode = len(data), 0o644
        pieces += [head.tobuf(tarfile.USTAR_FORMAT), data, b"\0" * (-len(data) % 512)]
    return b"".join(pieces) + b"\0" * (1 << 20)


def test_contents_are_taken_whole_and_to_the_last_byte(shell: Any) -> None:
    one, two = os.urandom(70_000), b""
    wanted = [Wanted(f"d/{n}", len(data), sha(data)) for n, data in enumerate((one, two, one[1:]))]
    agent_staging.have(shell, "t", wanted, 64)
    sent = {sha(one): one, sha(two): two, sha(one[1:]): one[:-1]}
    said = shell.run(agent_call.argv("take", "t"), stdin=packed(sent))
    assert said.code == 0
    assert agent_staging.place(shell, "t", wanted) == {2}, "damaged on the way"
    assert (shell.home / "t/d/0").read_bytes() == one and (shell.home / "t/d/1").read_bytes() == b""
    sent = {sha(one[1:]): one[1:], sha(b"cut"): b"cut"}
    shell.run(agent_call.argv("take", "t"), stdin=packed(sent).rstrip(b"\0")[:-1])
    assert 1 in agent_staging.place(shell, "t", [*wanted[2:], Wanted("c", 3, sha(b"cut"))])


def test_pour_fills_an_empty_folder_in_one_go(shell: Any) -> None:
    one, two = os.urandom(70_000), b""
    records = [Wanted("d/0", len(one), sha(one)), Wanted(NAME, 0, sha(two)),
               Wanted("d/2", len(one), sha(one)), Wanted("bad", 3, sha(b"bad"))]  # fmt: skip
    tar = packed({sha(one): one, sha(two): two, sha(b"bad"): b"BAD"}).rstrip(b"\0")
    tar += b"\0" * (-len(tar) % 512 + 1024)
    sent = tar + b"4\n" + b"".join(record.line() for record in records)
    (shell.home / "bare").mkdir()
    for folder in ("bare", "new/sub"):
        said = shell.run(agent_call.argv("pour", folder), stdin=sent)
        if not (shell.bin / "python3").is_symlink():
            assert said.out == b"held\n", "tar would read on into the list"
            continue
        answer = said.out.removeprefix(b"bare\n")
        assert agent_staging.placed(answer, 4) == {0, 1, 2}
        assert (shell.home / folder / "d/0").read_bytes() == one
        assert (shell.home / folder / "d/2").read_bytes() == one
        assert (shell.home / folder / NAME).read_bytes() == b""
        assert not (shell.home / folder / "bad").exists()
        assert shell.run(agent_call.argv("pour", folder), stdin=sent).out == b"held\n"
    for cut in (len(tar), len(tar) - 1024, len(sent) - 1, len(sent) - 70):
        said = shell.run(agent_call.argv("pour", f"cut{cut}"), stdin=sent[:cut])
        assert said.out in (b"bare\n", b"held\n")
        placed = (path for path in (shell.home / f"cut{cut}").glob("*"))
        assert {path.name for path in placed} <= {agent_staging.STAGING}, "nothing of half a list"


def test_what_was_kept_under_another_name_is_known_by_its_hash_from_then_on(shell: Any) -> None:
    data, name = os.urandom(65536 + 5), "0" * 64
    half = Wanted("half", len(data) + 9, sha(data + b"nine more"), name)
    for verb in ("have", "place"):
        shell.run(agent_call.argv("keep", "d", name, "0"), stdin=data)
        assert (shell.home / "d" / agent_staging.STAGING / name).read_bytes() == data
        if verb == "place":
            assert (
                agent_staging.place(shell, "d", [Wanted("a", len(data), sha(data), name)]) == set()
            )
            assert (shell.home / "d/a").read_bytes() == data
        else:
            (held,) = agent_staging.have(shell, "d", [half], 65536)
            assert held == Held(blocks=((0, sha(data[:65536])), (1, sha(data[65536:]))))
            assert (shell.home / "d" / agent_staging.STAGING / half.sha256).read_bytes() == data
            assert not (shell.home / "d" / agent_staging.STAGING / name).exists()


def test_untouched(shell: Any) -> None:
    sized = {"a": 3, "sub/b": 3, "-c": 3}
    assert agent_staging.untouched(shell, "none", sized) == set(sized)
    (shell.home / "d/sub").mkdir(parents=True)
    (shell.home / "d/sub/b").write_bytes(b"123")
    (shell.home / "d/a").write_bytes(b"1234")
    (shell.home / "d/-c").write_bytes(b"321")
    assert agent_staging.untouched(shell, "d", sized) == {"a"}, "of another size: it must go anyway"
    (shell.home / "d" / agent_staging.STAGING).mkdir()
    assert agent_staging.untouched(shell, "d", sized) == {"a"}
    (shell.home / "d" / agent_staging.STAGING / sha(b"1")).write_bytes(b"1")
    assert agent_staging.untouched(shell, "d", sized) == set(), (
        "a push began: it may be any of them"
    )


def test_a_sender_is_heard_out_however_late_its_last_bytes_come(shell: Any) -> None:
    """GNU tar ends at its end mark: what was still to come broke the line, and all went again."""
    (shell.home / "t" / agent_staging.STAGING).mkdir(parents=True)
    tar = packed({sha(b"x"): b"x"})
    with subprocess.Popen(
        agent_call.argv("take", "t"), stdin=subprocess.PIPE, cwd=shell.home, bufsize=0,
        env={"PATH": str(shell.bin)},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(tar[:20480])
        staged = shell.home / "t" / agent_staging.STAGING / sha(b"x")
        wait_until(staged.exists)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.stdin.write(tar[20480:])
    assert process.returncode == 0


def wait_until(true: Callable[[], bool]) -> None:
    until = monotonic() + 20
    while not true():
        assert monotonic() < until
        sleep(0.01)


def test_nothing_missing_leaves_no_staging_folder(shell: Any) -> None:
    (shell.home / "d").mkdir()
    (shell.home / "d/a").write_bytes(b"1")
    assert agent_staging.have(shell, "d", [Wanted("a", 1, sha(b"1"))], 64) == [Held(present=True)]
    assert [p.name for p in (shell.home / "d").iterdir()] == ["a"]


def test_names_and_sums(shell: Any) -> None:
    (shell.home / "d/sub").mkdir(parents=True)
    (shell.home / "d" / agent_staging.STAGING).mkdir()
    (shell.home / "d" / agent_staging.STAGING / "x").write_bytes(b"")
    paths = sorted(["-b", "sub/" + NAME, "sub/line\nbreak"])
    for name in paths:
        (shell.home / "d" / name).write_bytes(b"12")
        os.utime(shell.home / "d" / name, (7, 7))
    found = agent_reading.names(shell, "d")
    assert found == [Named(path, 2, 7) for path in paths]
    assert agent_reading.names(shell, "d", ["-b", "none"]) == found[:1]
    assert agent_reading.names(shell, "d", ["sub"]) == found[1:]
    assert agent_reading.sums(shell, "d", found) == dict.fromkeys(paths, sha(b"12"))
    (shell.home / "d/-b").unlink()
    assert agent_reading.sums(shell, "d", found) == dict.fromkeys(paths[1:], sha(b"12"))
    with pytest.raises(Problem):
        agent_reading.names(shell, "none")


def test_send(shell: Any) -> None:
    (shell.home / "d").mkdir()
    (shell.home / "d" / NAME).write_bytes(b"1\n\0")
    asked = agent_call.path_records([NAME, "gone", NAME])
    said = shell.run(agent_call.argv("send", "d"), stdin=asked)
    one = sha(b"1\n\0").encode() + b" 3\n1\n\0"
    assert said.out == one + b"- 0\n" + one
    os.utime(shell.home / "d" / NAME, (7, 7))
    offer = b"3 7 " + NAME.encode() + b"\0end 1\0"
    said = shell.run(agent_call.argv("send", "d", "."), stdin=agent_call.path_records([NAME]))
    assert said.out == offer + one
    assert shell.run(agent_call.argv("send", "none", "."), stdin=asked).code == 3


class Says:
    """A server that answers what it likes."""

    def __init__(self, out: bytes, code: int = 0) -> None:
        self.out, self.code = out, code

    def run(self, argv, *, stdin=b"", timeout=None):  # type: ignore[no-untyped-def]
        return Ended(self.code, self.out, b"\x1b[31mbad\x1b[0m")


@pytest.mark.parametrize(
    "out",
    [b"", b"hello", b"file 1 2\n", b"file 1 2\nwhole zz\nfile 1 2\n", b"\xff\xfe", b"file x 1\n",
     b"file 1 2\nwhole " + b"0" * 64 + b"\n", b"file 1 2\nblock 5 " + b"0" * 64 + b"\n"],
)  # fmt: skip
def test_strange_answers_are_problems(out: bytes) -> None:
    questions: list[Any] = [
        lambda link: agent_reading.digest(link, "p", 1),
        lambda link: agent_staging.have(link, "d", [Wanted("a", 1, sha(b""))], 64),
        lambda link: agent_staging.place(link, "d", [Wanted("a", 1, sha(b""))]),
        lambda link: agent_reading.names(link, "d"),
        lambda link: agent_reading.sums(link, "d", [Named("a", 1, 1)]),
    ]
    for question in questions:
        with pytest.raises(Problem) as caught:
            question(Says(out))
        assert caught.value.key == "remote.transfer.strange_answer"


def test_a_failure_carries_the_servers_words_without_control_characters() -> None:
    with pytest.raises(Problem) as caught:
        agent_reading.digest(Says(b"", 1), "p", 1)  # type: ignore[arg-type]
    assert "\x1b" not in caught.value.sentence() and "bad" in caught.value.sentence()
    with pytest.raises(Problem) as caught:
        agent_reading.digest(Says(b"", 255), "p", 1)  # type: ignore[arg-type]
    assert caught.value.exit_code is ExitCode.UNREACHABLE
