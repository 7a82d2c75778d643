"""What is staged and placed, done the same by Python, with openssl and with coreutils alone."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Callable
from time import monotonic, sleep

import pytest
from agent_shell import NAME, Shell, sha

from remote.transfer import agent_call, agent_staging
from remote.transfer.agent_staging import STAGING, Held, Wanted


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
    whole = Wanted("wavs/a.wav", len(data), sha(data)).line()
    shell.run(agent_call.argv("place", "set"), stdin=whole[:-3])
    assert not (shell.home / "set" / "wavs").exists()
    assert agent_staging.place(shell, "set", [Wanted("wavs/a.wav", len(data), sha(data))]) == set()
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


def test_what_is_kept_is_placed_and_what_changed_after_is_not(shell: Shell) -> None:
    staging = shell.home / "d" / STAGING
    data = os.urandom(65536 + 5)
    wanted = [Wanted("a", len(data), sha(data))]
    path = f"d/{STAGING}/{sha(data)}"
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


def test_contents_are_taken_whole_and_to_the_last_byte(shell: Shell) -> None:
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


def test_pour_fills_an_empty_folder_in_one_go(shell: Shell) -> None:
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
        assert {path.name for path in placed} <= {STAGING}, "nothing of half a list"


def test_what_was_kept_under_another_name_is_known_by_its_hash_from_then_on(shell: Shell) -> None:
    data, name = os.urandom(65536 + 5), "0" * 64
    half = Wanted("half", len(data) + 9, sha(data + b"nine more"), name)
    for verb in ("have", "place"):
        shell.run(agent_call.argv("keep", "d", name, "0"), stdin=data)
        assert (shell.home / "d" / STAGING / name).read_bytes() == data
        if verb == "place":
            assert (
                agent_staging.place(shell, "d", [Wanted("a", len(data), sha(data), name)]) == set()
            )
            assert (shell.home / "d/a").read_bytes() == data
        else:
            (held,) = agent_staging.have(shell, "d", [half], 65536)
            assert held == Held(blocks=((0, sha(data[:65536])), (1, sha(data[65536:]))))
            assert (shell.home / "d" / STAGING / half.sha256).read_bytes() == data
            assert not (shell.home / "d" / STAGING / name).exists()


def test_untouched(shell: Shell) -> None:
    sized = {"a": 3, "sub/b": 3, "-c": 3}
    assert agent_staging.untouched(shell, "none", sized) == set(sized)
    (shell.home / "d/sub").mkdir(parents=True)
    (shell.home / "d/sub/b").write_bytes(b"123")
    (shell.home / "d/a").write_bytes(b"1234")
    (shell.home / "d/-c").write_bytes(b"321")
    assert agent_staging.untouched(shell, "d", sized) == {"a"}, "of another size: it must go anyway"
    (shell.home / "d" / STAGING).mkdir()
    assert agent_staging.untouched(shell, "d", sized) == {"a"}
    (shell.home / "d" / STAGING / sha(b"1")).write_bytes(b"1")
    assert agent_staging.untouched(shell, "d", sized) == set(), (
        "a push began: it may be any of them"
    )


def test_a_sender_is_heard_out_however_late_its_last_bytes_come(shell: Shell) -> None:
    """GNU tar ends at its end mark: what was still to come broke the line, and all went again."""
    (shell.home / "t" / STAGING).mkdir(parents=True)
    tar = packed({sha(b"x"): b"x"})
    with subprocess.Popen(
        agent_call.argv("take", "t"), stdin=subprocess.PIPE, cwd=shell.home, bufsize=0,
        env={"PATH": str(shell.bin)},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(tar[:20480])
        staged = shell.home / "t" / STAGING / sha(b"x")
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


def test_nothing_missing_leaves_no_staging_folder(shell: Shell) -> None:
    (shell.home / "d").mkdir()
    (shell.home / "d/a").write_bytes(b"1")
    assert agent_staging.have(shell, "d", [Wanted("a", 1, sha(b"1"))], 64) == [Held(present=True)]
    assert [p.name for p in (shell.home / "d").iterdir()] == ["a"]
