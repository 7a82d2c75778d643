"""A push sends what is missing, verifies it there, and deletes nothing."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import pytest
from pipe_server import CALM, QUICK, LocalLink, Server

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.core.progress import TransferProgress
from sovdeck.remote.transfer.upload.push import UNHASHED_BYTES, PushResult, push

MIB = 1 << 20


def noise(count: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(count)


def lay(laptop: Path, files: dict[str, bytes]) -> dict[str, Path]:
    laid = {}
    for number, (name, data) in enumerate(files.items()):
        path = laptop / f"local-{number}"  # the local name need not be the remote one
        path.write_bytes(data)
        laid[name] = path
    return laid


def send(server: Server, files: dict[str, Path], **options: Any) -> PushResult:
    options = {"report": lambda p: None, "cancel": threading.Event(), "tuning": QUICK, **options}
    return push(server.connect, files, "data/声 1", **options)


def there(server: Server) -> dict[str, bytes]:
    folder = server.home / "data/声 1"
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


DATASET = {
    "声.list": "a.wav|声|ja|こんにちは\n".encode(),
    "wavs/a.wav": noise(70_000, 1),
    "wavs/empty.wav": b"",
    "wavs/ with spaces 'and' \"quotes\" $HOME `x`.wav": noise(1000, 2),
    "wavs/same as a.wav": noise(70_000, 1),
    "wavs/sub/-rf.wav": noise(513, 3),
    "big.flac": noise(9 * MIB + 11, 4),
}


@pytest.mark.parametrize("sftp", [True, False])
def test_a_dataset_arrives_and_a_second_push_sends_nothing(
    server: Server, laptop: Path, sftp: bool
) -> None:
    server.weather.sftp = sftp
    server.put("data/声 1/old.txt", b"stays")
    files = lay(laptop, DATASET)
    seen: list[TransferProgress] = []
    first = send(server, files, report=seen.append, tuning=CALM)
    assert there(server) == {**DATASET, "old.txt": b"stays"}
    assert (first.sent_files, first.kept_files) == (len(DATASET), 0)
    # The same content under two names goes once.
    assert first.sent_bytes == sum(map(len, DATASET.values())) - 70_000
    assert first.protocol == ("sftp" if sftp else "exec")
    assert seen[-1].done == seen[-1].total and seen[-1].phase == "done"
    before = server.weather.sent
    again = send(server, files, tuning=CALM)
    assert (again.sent_files, again.sent_bytes, again.kept_files) == (0, 0, len(DATASET))
    assert server.weather.sent - before < 10_000
    assert not list((server.home / "data/声 1").glob(".sovdeck*"))


def test_only_a_changed_file_goes(server: Server, laptop: Path) -> None:
    files = lay(laptop, DATASET)
    send(server, files, tuning=CALM)
    files["wavs/a.wav"].write_bytes(noise(70_000, 9))  # same size, other sound
    done = send(server, files, tuning=CALM)
    assert (done.sent_files, done.sent_bytes, done.retries) == (1, 70_000, 0)
    assert there(server)["wavs/a.wav"] == noise(70_000, 9)
    assert there(server)["wavs/same as a.wav"] == noise(70_000, 1)


@pytest.mark.parametrize("sftp", [True, False])
def test_a_line_that_breaks_is_taken_up_again(server: Server, laptop: Path, sftp: bool) -> None:
    server.weather.sftp = sftp
    cuts = [MIB, 4 * MIB, 7 * MIB]

    def weather(link: LocalLink, total: int) -> None:
        if cuts and server.weather.sent > cuts[0]:
            cuts.pop(0)
            link.cut()

    server.weather.on_bytes = weather
    done = send(server, lay(laptop, DATASET))
    assert there(server) == DATASET and not cuts and done.retries


def test_a_push_that_was_stopped_goes_on_where_it_was(server: Server, laptop: Path) -> None:
    files = lay(laptop, {"big": noise(24 * MIB, 5), "small": b"x"})
    stop = threading.Event()
    with pytest.raises(Problem) as caught:
        send(
            server,
            files,
            cancel=stop,
            report=lambda p: stop.set() if p.done > 14 * MIB else None,
            bandwidth=16 * MIB,
        )
    assert caught.value.exit_code is ExitCode.INTERRUPTED
    assert there(server).keys() & {"big", "small"} == set()  # only staged so far
    done = send(server, files)
    assert there(server) == {"big": noise(24 * MIB, 5), "small": b"x"}
    assert done.sent_bytes < 24 * MIB - 8 * MIB


def test_what_was_damaged_on_the_way_is_sent_again(
    server: Server, laptop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sovdeck.remote.transfer.agent import staging as questions

    files = lay(laptop, {"big": noise(9 * MIB, 6), "small": noise(100, 7)})
    true_place = questions.commit_staged
    staged = server.home / "data/声 1/.sovdeck-push"
    harm = [True]

    def place(link: Any, folder: str, wanted: Any) -> set[int]:
        if harm:
            harm.clear()
            for path in staged.iterdir():
                data = bytearray(path.read_bytes())
                data[len(data) // 2] ^= 1
                path.write_bytes(data)
        return true_place(link, folder, wanted)

    monkeypatch.setattr(questions, "commit_staged", place)
    done = send(server, files, tuning=CALM)
    assert there(server) == {"big": noise(9 * MIB, 6), "small": noise(100, 7)}
    # Of the large file one block went again, not all of it.
    assert done.sent_bytes == 9 * MIB + 100 + CALM.block + 100


def test_a_file_that_keeps_changing_is_not_called_sent(server: Server, laptop: Path) -> None:
    files = lay(laptop, {"big": noise(9 * MIB)})
    other = noise(9 * MIB, 8)

    def change(progress: TransferProgress) -> None:
        if progress.phase == "compare":
            files["big"].write_bytes(other)

    with pytest.raises(Problem) as caught:
        send(server, files, report=change)
    assert caught.value.key == "remote.transfer.mismatch_up"
    assert there(server).get("big") is None


@pytest.mark.parametrize("sftp", [True, False])
def test_a_full_disk_on_the_server_is_said_and_taken_up_again(
    server: Server, laptop: Path, sftp: bool
) -> None:
    server.weather.sftp = sftp
    server.weather.most_written = 5 * MIB
    files = lay(laptop, DATASET)
    with pytest.raises(Problem) as caught:
        send(server, files, tuning=CALM)
    assert caught.value.key == "remote.transfer.server_refused"
    assert "disk is full" in caught.value.hint.en
    assert there(server).keys() & DATASET.keys() == set(), "only staged so far"
    server.weather.most_written = None
    done = send(server, files, tuning=CALM)
    assert there(server) == DATASET
    assert done.sent_bytes <= 5 * MIB + CALM.block


def test_a_small_file_that_finds_the_disk_full_says_so(server: Server, laptop: Path) -> None:
    server.weather.most_written = 1024
    with pytest.raises(Problem) as caught:
        send(server, lay(laptop, DATASET), tuning=CALM)
    assert caught.value.key == "remote.transfer.server_refused"
    server.weather.most_written = None
    send(server, lay(laptop, DATASET), tuning=CALM)
    assert there(server) == DATASET


def test_a_file_in_the_way_on_the_server_is_said(server: Server, laptop: Path) -> None:
    folder = server.home / "data/声 1"
    folder.mkdir(parents=True)
    (folder / ".sovdeck-push").write_text("a file where the staging folder must be")
    with pytest.raises(Problem) as caught:
        send(server, lay(laptop, {"a": b"1"}))
    assert caught.value.key == "remote.transfer.server_refused"


@pytest.mark.parametrize(
    "key", ["../up", "/abs", "a//b", "a/./b", "a\nb", "a\\b", "", ".sovdeck-push/x"]
)
def test_keys_that_lead_elsewhere_are_refused(server: Server, laptop: Path, key: str) -> None:
    with pytest.raises(Problem) as caught:
        send(server, lay(laptop, {key: b"1"}))
    assert caught.value.key == "remote.transfer.bad_path"
    assert not server.weather.links


def test_a_missing_local_file_is_named(server: Server, laptop: Path) -> None:
    with pytest.raises(Problem, match="gone"):
        send(server, {"a": laptop / "gone"})


def test_a_small_file_that_changes_while_it_waits_arrives_as_it_was_hashed(
    server: Server, laptop: Path
) -> None:
    files = lay(laptop, {"a": noise(2 * MIB)})

    def change(progress: TransferProgress) -> None:
        if progress.phase == "compare":
            files["a"].write_bytes(noise(2 * MIB, 8))

    assert send(server, files, report=change).sent_bytes == 2 * MIB
    assert there(server) == {"a": noise(2 * MIB)}


def test_files_of_some_megabytes_share_a_stream_too(server: Server, laptop: Path) -> None:
    files = {f"{n}.wav": noise(3 * MIB + n, n) for n in range(6)}
    assert send(server, lay(laptop, files), tuning=CALM).protocol == "sftp"
    assert there(server) == files
    assert agent_commands(server) == ["have", "take", "place"]


def test_thousands_of_small_files_take_few_exchanges(server: Server, laptop: Path) -> None:
    files = {f"wavs/{n:04}.wav": noise(500, n) for n in range(2000)}
    send(server, lay(laptop, files))
    assert there(server) == files
    assert agent_commands(server) == ["have", "take", "place"]


def test_more_small_files_for_a_folder_that_holds_some(server: Server, laptop: Path) -> None:
    server.put("data/声 1/wavs/old.wav", b"stays")
    files = {f"wavs/{n:04}.wav": noise(500, n) for n in range(200)}
    assert send(server, lay(laptop, files)).sent_files == 200
    assert there(server) == {**files, "wavs/old.wav": b"stays"}
    assert agent_commands(server) == ["have", "take", "place"]


def agent_commands(server: Server) -> list[str]:
    """The verbs of the agent that the server was asked."""
    return [argv[6] for argv in server.weather.commands if argv[0] == "sh"]


def test_small_files_beyond_what_stays_in_memory_are_read_again(
    server: Server, laptop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sovdeck.remote.transfer.upload.push.CACHED_BYTES", 5000)
    server.put("data/声 1/old.txt", b"stays")
    files = {f"{number}.wav": noise(1000 + number, number) for number in range(20)}
    assert send(server, lay(laptop, files)).sent_bytes == sum(map(len, files.values()))
    assert there(server) == {**files, "old.txt": b"stays"}


def test_a_tar_stream_that_is_cut_sends_only_the_rest(server: Server, laptop: Path) -> None:
    files = {f"{n:03}.wav": noise(20_000, n) for n in range(200)}
    once = [True]

    def weather(link: LocalLink, total: int) -> None:
        if once and server.weather.sent > 2 * MIB:
            once.clear()
            assert not there(server).keys() & files.keys(), "nothing before all of it"
            link.cut()

    server.weather.on_bytes = weather
    done = send(server, lay(laptop, files), tuning=CALM)
    assert there(server) == files and not once and done.retries
    assert (done.sent_files, done.kept_files) == (200, 0)


BIG = UNHASHED_BYTES + 4_321


def test_a_large_file_goes_while_it_is_hashed(server: Server, laptop: Path) -> None:
    files = lay(laptop, {"big": noise(BIG, 1), "small": b"1"})
    server.put("data/声 1/other", b"stays")
    done = send(server, files, tuning=CALM)
    assert there(server) == {"big": noise(BIG, 1), "small": b"1", "other": b"stays"}
    assert (done.sent_files, done.sent_bytes, done.kept_files) == (2, BIG + 1, 0)
    # The small one alone is asked about; what places them hashes the large one while it comes.
    assert agent_commands(server) == ["begin", "place", "have", "take"]
    assert not list((server.home / "data/声 1").glob(".sovdeck*"))
    again = send(server, files, tuning=CALM)
    assert (again.sent_files, again.sent_bytes, again.kept_files) == (0, 0, 2)


def test_a_large_file_that_is_cut_costs_only_what_was_on_its_way(
    server: Server, laptop: Path
) -> None:
    cut_at = [20 * MIB]

    def weather(link: LocalLink, total: int) -> None:
        if cut_at and server.weather.sent > cut_at[0]:
            cut_at.clear()
            link.cut()

    server.weather.on_bytes = weather
    done = send(server, lay(laptop, {"big": noise(BIG, 2)}), tuning=CALM)
    assert there(server) == {"big": noise(BIG, 2)} and not cut_at
    assert done.retries >= 1
    assert server.weather.sent < BIG + 2 * CALM.block


def test_a_push_stopped_before_the_hash_was_known_goes_on(server: Server, laptop: Path) -> None:
    files = lay(laptop, {"big": noise(BIG, 3)})
    stop = threading.Event()

    def weather(link: LocalLink, total: int) -> None:
        if server.weather.sent > 20 * MIB:
            stop.set()

    server.weather.on_bytes = weather
    with pytest.raises(Problem) as caught:
        send(server, files, cancel=stop, tuning=CALM)
    assert caught.value.exit_code is ExitCode.INTERRUPTED
    assert there(server).get("big") is None
    before, server.weather.on_bytes = server.weather.sent, lambda link, total: None
    done = send(server, files, tuning=CALM)
    assert there(server) == {"big": noise(BIG, 3)}
    assert server.weather.sent - before < BIG - 20 * MIB + 2 * CALM.block
    assert done.sent_bytes < BIG - 20 * MIB + 2 * CALM.block


def test_the_same_large_file_under_two_names_arrives_twice(server: Server, laptop: Path) -> None:
    files = lay(laptop, {"big": noise(BIG, 5), "twin": noise(BIG, 5)})
    send(server, files, tuning=CALM)
    assert there(server) == {"big": noise(BIG, 5), "twin": noise(BIG, 5)}


def test_a_large_file_that_is_there_already_is_not_sent(server: Server, laptop: Path) -> None:
    server.put("data/声 1/big", noise(BIG, 4))
    done = send(server, lay(laptop, {"big": noise(BIG, 4)}), tuning=CALM)
    assert (done.sent_bytes, done.kept_files) == (0, 1)


def test_nothing_to_push_is_fine(server: Server) -> None:
    assert send(server, {}).sent_files == 0
