"""A provider over its simulated cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from cloud_simulator import KEY, SimulatedCloud, serve_cloud

from sovdeck.remote.rent.accounts import SIMULATORS_VARIABLE, open_provider
from sovdeck.remote.rent.provider import Provider
from sovdeck.remote.secret import Secret


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
            return open_provider(name, NoKeyring(), key=Secret(KEY), sleep=cloud.sleep)

        yield make
