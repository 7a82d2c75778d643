"""Which servers the dashboard lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.embedded import client
from sovdeck.tui.services.connections import ConnectionRegistry


def test_this_computer_is_listed_only_where_it_can_be_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = ConnectionRegistry(None, AppPaths.below(tmp_path))
    assert [server.name for server in connections.saved_servers()] == ["local"]
    monkeypatch.setattr(client, "SERVER_LIBRARY", "a_library_that_is_not_there")
    assert connections.saved_servers() == ()
