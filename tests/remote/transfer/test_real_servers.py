"""The same transfers over real SSH: OpenSSH on both address families, and the embedded server."""

from __future__ import annotations

import random
import socket
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import CutProxy, Place, start_embedded

from sovdeck.remote.transfer.core.tuning import Tuning
from sovdeck.remote.transfer.download.file import pull
from sovdeck.remote.transfer.upload.push import push

MIB = 1 << 20
BRISK = Tuning(stall=3.0, give_up=20.0, reconnect=0.05, reconnect_max=0.2)


def noise(count: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(count)


def options(**more: Any) -> dict[str, Any]:
    return {"report": lambda p: None, "cancel": threading.Event(), "tuning": BRISK, **more}


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("sshd_v4", marks=pytest.mark.sshd),
        pytest.param("sshd_v6", marks=pytest.mark.sshd),
    ]
)
def place(request: pytest.FixtureRequest) -> Place:
    return request.getfixturevalue(request.param)


def test_there_and_back(place: Place, tmp_path: Path) -> None:
    big, small = noise(20 * MIB + 3), noise(1234, 1)
    files = {"wavs/big 声.bin": tmp_path / "1", "small": tmp_path / "2", "empty": tmp_path / "3"}
    for path, data in zip(files.values(), (big, small, b""), strict=True):
        path.write_bytes(data)
    folder = str(tmp_path / "there")
    sent = push(place.connect, files, folder, **options())
    assert (sent.sent_files, sent.sent_bytes, sent.protocol) == (3, len(big) + 1234, "sftp")
    assert push(place.connect, files, folder, **options()).kept_files == 3
    done = pull(place.connect, f"{folder}/wavs/big 声.bin", tmp_path / "here", **options())
    assert done.path.read_bytes() == big and done.protocol == "sftp" and done.sha256
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


@pytest.mark.sshd
def test_the_line_is_set_for_bulk(sshd_v4: Place) -> None:
    link = sshd_v4.connect()
    try:
        transport = link._fabric_connection.transport
        assert transport.remote_cipher == transport.local_cipher == "aes128-gcm@openssh.com"
        assert transport.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert transport.packetizer.REKEY_BYTES == 1 << 36, "see paramiko #822"
        assert 0 < link.rtt < 60
    finally:
        link.close()


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

    done = pull(
        embedded.through(proxy).connect,
        str(tmp_path / "f"),
        tmp_path / "h",
        **options(report=watch, bandwidth=8 * MIB),
    )
    assert done.path.read_bytes() == data and done.retries >= 1


def test_a_real_server_without_sftp(tmp_path: Path) -> None:
    place = start_embedded(tmp_path / "server", sftp=False)
    try:
        files = {"big": tmp_path / "1", "small": tmp_path / "2"}
        files["big"].write_bytes(noise(9 * MIB))
        files["small"].write_bytes(b"small")
        sent = push(place.connect, files, str(tmp_path / "there"), **options())
        assert sent.protocol == "exec" and (tmp_path / "there/small").read_bytes() == b"small"
        done = pull(place.connect, str(tmp_path / "there/big"), tmp_path / "h", **options())
        assert done.path.read_bytes() == noise(9 * MIB) and done.protocol == "exec"
    finally:
        place.process.close()
