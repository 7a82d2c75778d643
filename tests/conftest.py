"""Servers shared by every folder's tests; see tests/servers.py."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

# Before torch comes: processes of tests share the cores, and a child that is forked beside the
# threads of a computing library waits for them for ever.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is no fault of the code: property tests have no time limit of their own.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

# A shell without job control starts what runs in its background deaf to Ctrl-C, and so would be
# every program that these tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path.insert(0, str(Path(__file__).parent))

from servers import (  # noqa: E402 - tests/ is not a package
    CutProxy,
    Place,
    has_ipv6,
    start_embedded,
    start_sshd,
    stop_sshd,
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What collecting makes stays until the end: the search for garbage goes over none of it.

    That is more than a million objects, of which each full search would take most of a second.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


# Their networks, voices and servers take seconds to make, once a process: one process has them.
MADE_ONCE = (
    "engine/interop",
    "engine/models/gpt",
    "engine/models/sovits",
    "engine/speaking",
    "engine/training",
    "remote/speech",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file, or of a folder above, in one process.

    What may take an hour begins first: at the end it would run alone.
    """
    for item in items:
        file = item.path.relative_to(Path(__file__).parent)
        folder = file.parent.as_posix()
        group = folder if folder in MADE_ONCE else file.as_posix()
        item.add_marker(pytest.mark.xdist_group(group))

    def is_short(item: pytest.Item) -> bool:
        limit = item.get_closest_marker("timeout")
        return limit is None or limit.args[0] < 3600

    items.sort(key=is_short)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The embedded server on ::1 (127.0.0.1 without IPv6), one for the whole run."""
    place = start_embedded(tmp_path_factory.mktemp("embedded"))
    yield place
    place.process.close()


@pytest.fixture(scope="session")
def sshd_v4(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A real sshd on 127.0.0.1. Mark the test `sshd`."""
    place = start_sshd(tmp_path_factory.mktemp("sshd4"), "127.0.0.1")
    yield place
    stop_sshd(place)


@pytest.fixture(scope="session")
def sshd_v6(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A real sshd on ::1. Mark the test `sshd`."""
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    place = start_sshd(tmp_path_factory.mktemp("sshd6"), "::1")
    yield place
    stop_sshd(place)


@pytest.fixture
def cut_proxy() -> Iterator[Callable[[Place], CutProxy]]:
    """Makes a CutProxy in front of a place: `proxy = cut_proxy(place); place.through(proxy)`."""
    made: list[CutProxy] = []

    def make(place: Place) -> CutProxy:
        proxy = CutProxy(place.spec.host, place.spec.port)
        made.append(proxy)
        return proxy

    yield make
    for proxy in made:
        proxy.close()
