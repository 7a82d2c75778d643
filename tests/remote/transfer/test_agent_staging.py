"""What is staged and placed, done the same by Python, with openssl and with coreutils alone."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from agent_shell import NAME, Shell, sha

from sovdeck.remote.agent import transfer_agent
from sovdeck.remote.transfer.agent import call as agent_call
from sovdeck.remote.transfer.agent import staging as agent_staging
from sovdeck.remote.transfer.agent.staging import STAGING, StagingRecord, StagingStatus


def packed(contents: dict[str, bytes]) -> bytes:
    """A tar of contents under these names, with more after its end mark than one record."""
    pieces = []
    for name, data in contents.items():
        head = tarfile.TarInfo(name)
        head.size, head.mode = len(data), 0o644
        pieces += [head.tobuf(tarfile.USTAR_FORMAT), data, b"\0" * (-len(data) % 512)]
    return b"".join(pieces) + b"\0" * (1 << 20)


def test_a_list_that_was_cut_places_nothing_under_half_a_name(shell: Shell) -> None:
    data = b"sound"
    staging = shell.home / "set" / STAGING
    staging.mkdir(parents=True)
    (staging / sha(data)).write_bytes(data)
    whole = StagingRecord("wavs/a.wav", len(data), sha(data)).line()
    shell.run(agent_call.agent_argv("place", "set"), stdin=whole[:-3])
    assert not (shell.home / "set" / "wavs").exists()
    assert (
        agent_staging.commit_staged(
            shell, "set", [StagingRecord("wavs/a.wav", len(data), sha(data))]
        )
        == set()
    )
    assert (shell.home / "set" / "wavs" / "a.wav").read_bytes() == data


def test_have_and_place(shell: Shell) -> None:
    folder = shell.home / "data"
    staging = folder / STAGING
    staging.mkdir(parents=True)
    (folder / "here").write_bytes(b"here")
    (folder / "stale").write_bytes(b"old")
    whole, part = b"w" * 100, b"p" * 130
    (staging / sha(whole)).write_bytes(whole)
    (staging / sha(part)).write_bytes(part[:70])
    wanted = [
        StagingRecord("here", 4, sha(b"here")),
        StagingRecord("stale", 3, sha(b"new")),
        StagingRecord("sub/dir/ " + NAME, 100, sha(whole)),
        StagingRecord("part", 130, sha(part)),
        StagingRecord("twin", 100, sha(whole)),
    ]
    held = agent_staging.query_staged(shell, "data", wanted, 64)
    assert held == [
        StagingStatus(present=True),
        StagingStatus(),
        StagingStatus(staged=True),
        StagingStatus(blocks=((0, sha(part[:64])), (1, sha(part[64:70])))),
        StagingStatus(staged=True),
    ]
    assert agent_staging.commit_staged(shell, "data", wanted[1:]) == {0, 2}
    assert (folder / ("sub/dir/ " + NAME)).read_bytes() == whole
    assert (folder / "twin").read_bytes() == whole
    assert (folder / "stale").read_bytes() == b"old" and not (folder / "part").exists()


def test_what_is_kept_is_placed_and_what_changed_after_is_not(shell: Shell) -> None:
    staging = shell.home / "d" / STAGING
    data = os.urandom(65536 + 5)
    wanted = [StagingRecord("a", len(data), sha(data))]
    path = f"d/{STAGING}/{sha(data)}"
    for harm in (False, True):
        staging.mkdir(parents=True)  # `place` takes it away when it is empty
        said = shell.run(agent_call.agent_argv("keep", "d", sha(data), "0"), stdin=data)
        assert said.code == 0 and (shell.home / path).read_bytes() == data
        if harm:
            (shell.home / path).write_bytes(data[::-1])
        assert agent_staging.commit_staged(shell, "d", wanted) == ({0} if harm else set())
    staging.mkdir(exist_ok=True)
    shell.run(agent_call.agent_argv("keep", "d", sha(data), "0"), stdin=data)
    shell.run(agent_call.agent_argv("keep", "d", sha(data), "65536"), stdin=b"12345")
    assert (shell.home / path).read_bytes()[65536:] == b"12345", "from the offset on"
    (shell.home / path).unlink()
    assert (shell.home / "d/a").read_bytes() == data


def test_contents_are_taken_whole_and_to_the_last_byte(shell: Shell) -> None:
    one, two = os.urandom(70_000), b""
    wanted = [
        StagingRecord(f"d/{n}", len(data), sha(data)) for n, data in enumerate((one, two, one[1:]))
    ]
    agent_staging.query_staged(shell, "t", wanted, 64)
    sent = {sha(one): one, sha(two): two, sha(one[1:]): one[:-1]}
    said = shell.run(agent_call.agent_argv("take", "t"), stdin=packed(sent))
    assert said.code == 0
    assert agent_staging.commit_staged(shell, "t", wanted) == {2}, "damaged on the way"
    assert (shell.home / "t/d/0").read_bytes() == one and (shell.home / "t/d/1").read_bytes() == b""
    sent = {sha(one[1:]): one[1:], sha(b"cut"): b"cut"}
    shell.run(agent_call.agent_argv("take", "t"), stdin=packed(sent).rstrip(b"\0")[:-1])
    assert 1 in agent_staging.commit_staged(
        shell, "t", [*wanted[2:], StagingRecord("c", 3, sha(b"cut"))]
    )


def test_what_was_kept_under_another_name_is_known_by_its_hash_from_then_on(shell: Shell) -> None:
    data, name = os.urandom(65536 + 5), "0" * 64
    half = StagingRecord("half", len(data) + 9, sha(data + b"nine more"), name)
    for command in ("have", "place"):
        shell.run(agent_call.agent_argv("keep", "d", name, "0"), stdin=data)
        assert (shell.home / "d" / STAGING / name).read_bytes() == data
        if command == "place":
            assert (
                agent_staging.commit_staged(
                    shell, "d", [StagingRecord("a", len(data), sha(data), name)]
                )
                == set()
            )
            assert (shell.home / "d/a").read_bytes() == data
        else:
            (held,) = agent_staging.query_staged(shell, "d", [half], 65536)
            assert held == StagingStatus(blocks=((0, sha(data[:65536])), (1, sha(data[65536:]))))
            assert (shell.home / "d" / STAGING / half.sha256).read_bytes() == data
            assert not (shell.home / "d" / STAGING / name).exists()


def test_only_contents_of_which_nothing_is_there_are_begun_and_once(shell: Shell) -> None:
    wanted = [
        StagingRecord(path, 3, f"{number:064x}") for number, path in enumerate(("a", "sub/b", "-c"))
    ]
    (shell.home / "d/sub").mkdir(parents=True)
    (shell.home / "d/sub/b").write_bytes(b"123")
    (shell.home / "d/a").write_bytes(b"1234")
    (shell.home / "d/-c").write_bytes(b"321")
    assert agent_staging.begin_contents(shell, "d", wanted) == {0}, "of another size: it must go"
    assert [one.name for one in (shell.home / "d" / STAGING).iterdir()] == [wanted[0].sha256]
    assert agent_staging.begin_contents(shell, "d", wanted) == set(), "another push began it"
    assert agent_staging.begin_contents(shell, "new/folder", wanted) == {0, 1, 2}


def test_contents_are_followed_while_they_come(shell: Shell) -> None:
    data, gone = os.urandom(3 << 20), "f" * 64
    name = "0" * 64
    wanted = [StagingRecord("d/whole", len(data), sha(data), name)]
    agent_staging.begin_contents(shell, "t", [StagingRecord("d/whole", len(data), name)])
    staged = shell.home / "t" / STAGING / name
    with subprocess.Popen(
        agent_staging.commit_command("t"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=shell.home,
        bufsize=0,
        env={"PATH": str(shell.bin)},
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        for end in (1 << 20, 1 << 20, 2_500_000, len(data)):
            with staged.open("r+b") as file:
                file.write(data[:end])
            process.stdin.write(agent_staging.progress_line(name, end))
            process.stdin.write(agent_staging.progress_line(gone, end))
        process.stdin.write(wanted[0].line())
        process.stdin.close()
        assert process.stdout.read() == b"placed 0\nend 1\n"
    assert (shell.home / "t/d/whole").read_bytes() == data
    assert not (shell.home / "t" / STAGING).exists()


@pytest.mark.parametrize("harm", [False, True])
def test_what_was_followed_is_read_again_only_if_it_changed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], harm: bool
) -> None:
    data, name = b"x" * 1000, "0" * 64
    staged = tmp_path / STAGING / name
    staged.parent.mkdir()
    staged.write_bytes(data)
    record = StagingRecord("a", len(data), sha(data), name).line()
    told = [agent_staging.progress_line(name, len(data)), record]

    class Input(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            if len(told) == 1 and harm:  # what came first was hashed meanwhile
                before = staged.stat().st_mtime_ns
                staged.write_bytes(data[:-1] + b"y")
                os.utime(staged, ns=(before, before + 5_000_000))
            piece = told.pop(0) if told else b""
            buffer[: len(piece)] = piece
            return len(piece)

    read = []
    monkeypatch.setattr(transfer_agent, "STDIN", io.BufferedReader(Input()))
    hash_file = transfer_agent.hash_file
    monkeypatch.setattr(
        transfer_agent, "hash_file", lambda path: (read.append(path), hash_file(path))[1]
    )
    transfer_agent.place_files(str(tmp_path))
    assert capsys.readouterr().out == ("bad 0\nend 1\n" if harm else "placed 0\nend 1\n")
    assert len(read) == harm


def test_a_sender_is_heard_out_however_late_its_last_bytes_come(shell: Shell) -> None:
    """GNU tar ends at its end mark: what was still to come broke the line, and all went again."""
    (shell.home / "t" / STAGING).mkdir(parents=True)
    tar = packed({sha(b"x"): b"x"})
    with subprocess.Popen(
        agent_call.agent_argv("take", "t"),
        stdin=subprocess.PIPE,
        cwd=shell.home,
        bufsize=0,
        env={"PATH": str(shell.bin)},
    ) as process:
        assert process.stdin is not None
        process.stdin.write(tar[:20480])
        staged = shell.home / "t" / STAGING / sha(b"x")
        wait_until(staged.exists)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.stdin.write(tar[20480:])
    assert process.returncode == 0


def wait_until(true: Callable[[], bool]) -> None:
    until = monotonic() + 60
    while not true():
        assert monotonic() < until
        sleep(0.01)


def test_nothing_missing_leaves_no_staging_folder(shell: Shell) -> None:
    (shell.home / "d").mkdir()
    (shell.home / "d/a").write_bytes(b"1")
    assert agent_staging.query_staged(shell, "d", [StagingRecord("a", 1, sha(b"1"))], 64) == [
        StagingStatus(present=True)
    ]
    assert [p.name for p in (shell.home / "d").iterdir()] == ["a"]
