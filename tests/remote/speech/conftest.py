"""A tiny voice on the embedded server, deployed once for this folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import Place
from tiny_voice import make_voice, tiny_models

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "e2e"))

from trip_steps import open_server  # noqa: E402 - tests/ is not a package

from sovdeck.remote.servers.server import ServerSession  # noqa: E402


@pytest.fixture(autouse=True, scope="session")
def without_the_users_keys() -> Iterator[None]:
    """No agent, so that only the server's own key is offered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSH_AUTH_SOCK", raising=False)
        yield


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_voice(tmp_path_factory.mktemp("there") / "work", tiny_models())


@pytest.fixture(scope="session")
def session(
    embedded: Place, work: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerSession]:
    """The server `box`, saved on a laptop of its own and deployed."""
    with open_server(embedded, tmp_path_factory.mktemp("laptop"), "box", work) as session:
        session.deploy(lambda _step: None)
        yield session
