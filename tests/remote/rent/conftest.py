"""A provider over its simulated cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from sovdeck.remote.rent.accounts import SIMULATED_KEY, SIMULATORS_VARIABLE, open_provider
from sovdeck.remote.rent.provider import Provider
from sovdeck.remote.secret import Secret
from sovdeck.tui.cli.demo.cloud_server import serve_cloud
from sovdeck.tui.cli.demo.simulated_cloud import SimulatedCloud


class NoKeyring:
    def get_password(self, account: str) -> Secret | None:
        return None


@pytest.fixture
def provider_over(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[str, SimulatedCloud], Provider]]:
    with ExitStack() as stack:

        def make(name: str, cloud: SimulatedCloud) -> Provider:
            base = stack.enter_context(serve_cloud(name, cloud))
            monkeypatch.setenv(SIMULATORS_VARIABLE, f"{name}={base}")
            return open_provider(name, NoKeyring(), key=Secret(SIMULATED_KEY), sleep=cloud.sleep)

        yield make
