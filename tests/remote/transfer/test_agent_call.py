"""Every question to the agent is asked gently, and a strange answer is a Problem, no guess."""

from __future__ import annotations

from typing import Any

import pytest
from agent_shell import Shell, sha

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.ssh.command import CommandResult
from sovdeck.remote.transfer.agent import remote_files, staging
from sovdeck.remote.transfer.agent.staging import StagingRecord
from sovdeck.remote.transfer.core.part_journal import RemoteFile


def test_it_is_nice_to_a_training(shell: Shell) -> None:
    (shell.home / "a").write_bytes(b"1")
    (shell.bin / "nice").unlink()
    (shell.bin / "nice").write_text('#!/bin/sh\necho "$1 $2" >>niceness\nshift 2\nexec "$@"\n')
    (shell.bin / "nice").chmod(0o755)
    assert remote_files.fetch_digest(shell, "a", 1).whole == sha(b"1")
    assert set((shell.home / "niceness").read_text().splitlines()) == {"-n 10"}


class Says:
    """A server that answers what it likes."""

    def __init__(self, out: bytes, code: int = 0) -> None:
        self.out, self.code = out, code

    def run(self, argv, *, stdin=b"", timeout=None):
        return CommandResult(self.code, self.out, b"\x1b[31mbad\x1b[0m")


@pytest.mark.parametrize(
    "out",
    [
        b"",
        b"hello",
        b"file 1 2\n",
        b"file 1 2\nwhole zz\nfile 1 2\n",
        b"\xff\xfe",
        b"file x 1\n",
        b"file 1 2\nwhole " + b"0" * 64 + b"\n",
        b"file 1 2\nblock 5 " + b"0" * 64 + b"\n",
    ],
)
def test_strange_answers_are_problems(out: bytes) -> None:
    questions: list[Any] = [
        lambda link: remote_files.fetch_digest(link, "p", 1),
        lambda link: staging.query_staged(link, "d", [StagingRecord("a", 1, sha(b""))], 64),
        lambda link: staging.commit_staged(link, "d", [StagingRecord("a", 1, sha(b""))]),
        lambda link: remote_files.list_files(link, "d"),
        lambda link: remote_files.fetch_sha256_sums(link, "d", [RemoteFile("a", 1, 1)]),
    ]
    for question in questions:
        with pytest.raises(Problem) as caught:
            question(Says(out))
        assert caught.value.key == "remote.transfer.strange_answer"


def test_a_failure_carries_the_servers_words_without_control_characters() -> None:
    with pytest.raises(Problem) as caught:
        remote_files.fetch_digest(Says(b"", 1), "p", 1)
    assert "\x1b" not in caught.value.sentence() and "bad" in caught.value.sentence()
    with pytest.raises(Problem) as caught:
        remote_files.fetch_digest(Says(b"", 255), "p", 1)
    assert caught.value.exit_code is ExitCode.UNREACHABLE
