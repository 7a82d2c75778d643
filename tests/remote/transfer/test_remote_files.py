"""What stands on the server, told the same by Python, with openssl and with coreutils alone."""

from __future__ import annotations

import os

import pytest
from agent_shell import NAME, Shell, sha

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.agent import call as agent_call
from sovdeck.remote.transfer.agent import remote_files
from sovdeck.remote.transfer.agent.staging import STAGING
from sovdeck.remote.transfer.core.part_journal import RemoteFile


@pytest.mark.parametrize("data", [b"", b"x" * 10, b"ab" * 100])
def test_digest_of_a_file_and_its_blocks(shell: Shell, data: bytes) -> None:
    (shell.home / NAME).write_bytes(data)
    os.utime(shell.home / NAME, (7, 7))
    answer = remote_files.fetch_digest(shell, NAME, len(data), block=64)
    assert answer.whole == sha(data)
    assert list(answer.blocks) == [sha(data[n : n + 64]) for n in range(0, len(data), 64)]
    assert (answer.identity.size, answer.identity.mtime) == (len(data), 7)
    assert remote_files.fetch_digest(shell, NAME, 0).blocks == ()
    assert remote_files.fetch_identity(shell, NAME) == answer.identity
    assert not (shell.home / "x").exists()


def test_a_missing_file_is_told_from_a_broken_one(shell: Shell) -> None:
    with pytest.raises(Problem) as caught:
        remote_files.fetch_digest(shell, "-n none", 0)
    assert caught.value.key == "remote.transfer.no_such_file"
    (shell.home / "folder").mkdir()
    with pytest.raises(Problem) as caught:
        remote_files.fetch_digest(shell, "folder", 0)
    assert caught.value.exit_code is ExitCode.DATA


def test_names_and_sums(shell: Shell) -> None:
    (shell.home / "d/sub").mkdir(parents=True)
    (shell.home / "d" / STAGING).mkdir()
    (shell.home / "d" / STAGING / "x").write_bytes(b"")
    paths = sorted(["-b", "sub/" + NAME, "sub/line\nbreak"])
    for name in paths:
        (shell.home / "d" / name).write_bytes(b"12")
        os.utime(shell.home / "d" / name, (7, 7))
    found = remote_files.list_files(shell, "d")
    assert found == [RemoteFile(path, 2, 7) for path in paths]
    assert remote_files.list_files(shell, "d", ["-b", "none"]) == found[:1]
    assert remote_files.list_files(shell, "d", ["sub"]) == found[1:]
    assert remote_files.fetch_sha256_sums(shell, "d", found) == dict.fromkeys(paths, sha(b"12"))
    (shell.home / "d/-b").unlink()
    assert remote_files.fetch_sha256_sums(shell, "d", found) == dict.fromkeys(paths[1:], sha(b"12"))
    with pytest.raises(Problem):
        remote_files.list_files(shell, "none")


def test_send(shell: Shell) -> None:
    (shell.home / "d").mkdir()
    (shell.home / "d" / NAME).write_bytes(b"1\n\0")
    asked = agent_call.path_records([NAME, "gone", NAME])
    said = shell.run(agent_call.agent_argv("send", "d"), stdin=asked)
    one = sha(b"1\n\0").encode() + b" 3\n1\n\0"
    assert said.out == one + b"- 0\n" + one
    assert shell.run(agent_call.agent_argv("send", "none"), stdin=asked).code == 3
