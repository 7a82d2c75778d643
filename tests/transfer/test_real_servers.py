"""The same transfers over real SSH: OpenSSH on both address families, and the embedded server."""

from __future__ import annotations

import random
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from servers import CutProxy, Place, start_embedded

from engine.contract.layout import Layout
from engine.contract.problem import ExitCode, Problem
from engine.pack import outline, pack, plan
from remote.transfer.outline import parse, parse_plan
from remote.transfer.pull import pull
from remote.transfer.push import push
from remote.transfer.tuning import Tuning
from remote.transfer.virtual_zip import pull_virtual

MIB = 1 << 20
BRISK = Tuning(stall=3.0, give_up=20.0, reconnect=0.05, reconnect_most=0.2)


def noise(count: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(count)


def options(**more: Any) -> dict[str, Any]:
    return {"report": lambda p: None, "cancel": threading.Event(), "tuning": BRISK, **more}


@pytest.fixture(params=["embedded", pytest.param("sshd_v4", marks=pytest.mark.sshd),
                        pytest.param("sshd_v6", marks=pytest.mark.sshd)])  # fmt: skip
def place(request: pytest.FixtureRequest) -> Place:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


def test_there_and_back(place: Place, tmp_path: Path) -> None:
    big, small = noise(20 * MIB + 3), noise(1234, 1)
    files = {"wavs/big 声.bin": tmp_path / "1", "small": tmp_path / "2", "empty": tmp_path / "3"}
    for path, data in zip(files.values(), (big, small, b""), strict=True):
        path.write_bytes(data)
    folder = str(tmp_path / "there")
    sent = push(place.connect, files, folder, **options())
    assert (sent.sent_files, sent.sent_bytes, sent.way) == (3, len(big) + 1234, "sftp")
    assert push(place.connect, files, folder, **options()).kept_files == 3
    done = pull(place.connect, f"{folder}/wavs/big 声.bin", tmp_path / "here", **options())
    assert done.path.read_bytes() == big and done.way == "sftp" and done.sha256
    pulled = pull(place.connect, f"{folder}/empty", tmp_path / "here", **options())
    assert pulled.path.read_bytes() == b""


def test_relative_paths_start_in_the_home_folder(place: Place, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    home = place.connect().run(["pwd"]).out.decode().strip()
    name = f"transfer-test-{uuid.uuid4().hex}"  # the home folder is everybody's
    push(place.connect, {"a": tmp_path / "a"}, f"~/{name}", **options())
    assert (Path(home) / name / "a").read_bytes() == b"1"
    assert pull(place.connect, f"{name}/a", tmp_path / "h", **options()).bytes == 1
    (Path(home) / name / "a").unlink()
    (Path(home) / name).rmdir()


@pytest.fixture
def always_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slowly a busy machine answers."""
    for room in ("pull", "virtual_zip"):
        monkeypatch.setattr(f"remote.transfer.{room}.worth_carrying", lambda rtt, size: True)
    monkeypatch.setattr("remote.transfer.push.NEAR", 60.0)


def carried(place: Place) -> bool:
    link = place.connect()
    try:
        carrier = link.carrier()
        if carrier is None:
            return False
        carrier.close()
        return True
    finally:
        link.close()


@pytest.mark.sshd
@pytest.mark.usefixtures("always_near")
def test_a_large_file_rides_the_systems_ssh_both_ways(sshd_v4: Place, tmp_path: Path) -> None:
    assert carried(sshd_v4), "the key file of this server needs no question"
    data = noise(33 * MIB + 1)
    (tmp_path / "big").write_bytes(data)
    sent = push(sshd_v4.connect, {"big": tmp_path / "big"}, str(tmp_path / "up"), **options())
    assert (tmp_path / "up/big").read_bytes() == data and sent.retries == 0
    done = pull(sshd_v4.connect, str(tmp_path / "up/big"), tmp_path / "h", **options())
    assert done.path.read_bytes() == data and done.retries == 0 and done.sha256


@pytest.mark.sshd
@pytest.mark.usefixtures("always_near")
def test_a_voice_rides_it_in_one_stream_and_goes_on_after_a_stop(
    sshd_v4: Place, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    for name, size in (("GPT_weights/A/A-e1.ckpt", 9), ("SoVITS_weights/A/A_e1_s1.pth", 7)):
        (work / name).parent.mkdir(parents=True)
        (work / name).write_bytes(noise(size * MIB, size))
    layout = Layout.at(str(work))
    what = parse_plan(plan(layout, "A")), lambda: parse(outline(layout, "A"))
    stop = threading.Event()

    def watch(progress: Any) -> None:
        if progress.done > 10 * MIB:
            stop.set()

    here = str(work), tmp_path / "h"
    try:
        pull_virtual(sshd_v4.connect, *what, *here, **options(report=watch, cancel=stop))
    except Problem as problem:  # it may have been quicker than the stop
        assert problem.exit_code is ExitCode.INTERRUPTED
    (tmp_path / "h/A.zip").unlink(missing_ok=True)
    done = pull_virtual(sshd_v4.connect, *what, *here, **options())
    assert done.path.read_bytes() == pack(layout, "A").path.read_bytes() and done.retries == 0


@pytest.mark.sshd
def test_the_line_is_set_for_bulk(sshd_v4: Place) -> None:
    link = sshd_v4.connect()
    try:
        transport = link._connection.transport
        assert transport.remote_cipher == transport.local_cipher == "aes128-gcm@openssh.com"
        assert transport.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert transport.packetizer.REKEY_BYTES == 1 << 36, "see paramiko #822"
        assert 0 < link.rtt < 60
    finally:
        link.close()


@pytest.mark.sshd
@pytest.mark.parametrize("harm", ["another host key", "no key fits", "it breaks half-way"])
@pytest.mark.usefixtures("always_near")
def test_where_the_systems_ssh_fails_the_transfer_goes_on(
    sshd_v4: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    from remote.link import Link

    real, used = Link.carrier, []

    def carrier(self: Link) -> Any:
        terms = self._terms
        assert terms is not None
        if harm == "another host key":
            self._terms = replace(terms, host_key=(terms.host_key[0], "AAAAC3NzaC1lZDI1NTE5"))
        elif harm == "no key fits":
            self._terms = replace(terms, keys=(), agent=False)
        made = real(self)
        used.append(made)
        if harm == "it breaks half-way":
            threading.Timer(0.4, made.close).start()
        return made

    monkeypatch.setattr(Link, "carrier", carrier)
    data = noise(40 * MIB)
    (tmp_path / "big").write_bytes(data)
    done = pull(sshd_v4.connect, str(tmp_path / "big"), tmp_path / "h", **options())
    assert done.path.read_bytes() == data and used
    push(sshd_v4.connect, {"big": tmp_path / "big"}, str(tmp_path / "up"), **options())
    assert (tmp_path / "up/big").read_bytes() == data and len(used) == 2


def test_a_cut_wire_is_taken_up_again(
    place: Place, tmp_path: Path, cut_proxy: Callable[[Place], CutProxy]
) -> None:
    data = noise(24 * MIB)
    (tmp_path / "f").write_bytes(data)
    proxy = cut_proxy(place)
    proxy.cut_after = 9 * MIB
    done = pull(place.through(proxy).connect, str(tmp_path / "f"), tmp_path / "h", **options())
    assert done.path.read_bytes() == data and done.retries >= 1
    assert proxy.passed < len(data) * 1.4


def test_a_half_open_wire_is_noticed(
    embedded: Place, tmp_path: Path, cut_proxy: Callable[[Place], CutProxy]
) -> None:
    data = noise(16 * MIB)
    (tmp_path / "f").write_bytes(data)
    proxy = cut_proxy(embedded)

    once = [True]

    def watch(progress: Any) -> None:
        if progress.done > 4 * MIB and once:
            once.clear()
            proxy.silent = True
            threading.Timer(3.5, heal).start()

    def heal() -> None:
        proxy.reset()
        proxy.silent = False

    done = pull(embedded.through(proxy).connect, str(tmp_path / "f"), tmp_path / "h",
                **options(report=watch, bandwidth=8 * MIB))  # fmt: skip
    assert done.path.read_bytes() == data and done.retries >= 1


def test_a_real_server_without_sftp(tmp_path: Path) -> None:
    place = start_embedded(tmp_path / "server", sftp=False)
    try:
        files = {"big": tmp_path / "1", "small": tmp_path / "2"}
        files["big"].write_bytes(noise(9 * MIB))
        files["small"].write_bytes(b"small")
        sent = push(place.connect, files, str(tmp_path / "there"), **options())
        assert sent.way == "exec" and (tmp_path / "there/small").read_bytes() == b"small"
        done = pull(place.connect, str(tmp_path / "there/big"), tmp_path / "h", **options())
        assert done.path.read_bytes() == noise(9 * MIB) and done.way == "exec"
    finally:
        place.process.close()
