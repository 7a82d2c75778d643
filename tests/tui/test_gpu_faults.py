"""What nvidia-smi complains of stands on the Monitor screen until it says otherwise."""

from __future__ import annotations

from collections.abc import Callable

from pilot_waits import settled, until
from textual.widgets import Static

from remote.nvidia import FIELDS
from remote.telemetry import GaugeReader
from tui.app import SovdeckApp
from tui.services.fake_world import FakeWorld
from tui.services.telling import telemetry
from tui.state.events import TelemetrySeen
from tui.state.facts import Telemetry


def heard(lines: str) -> Telemetry:
    sample = GaugeReader().feed(f"@fields {','.join(FIELDS)}\n{lines}\n".encode(), 0)
    assert sample is not None
    return telemetry(sample)


def test_a_fault_is_a_sentence_and_a_server_without_a_gpu_has_none() -> None:
    told = heard("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.")
    assert [fault.level for fault in told.faults] == ["warning"]
    assert "driver" in told.faults[0].text.en and told.faults[0].hint.zh
    assert heard("@smi absent\n@sys mem_total_kb=5").faults == ()


async def test_the_banner_comes_and_goes(
    make_app: Callable[..., SovdeckApp], world: FakeWorld
) -> None:
    app = make_app(world, start="monitor")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, app, world)
        banner = app.screen.query_one("#faults", Static)
        assert not banner.display
        assert app.state.chosen_run is not None
        server = app.state.chosen_run.server
        lost = "Unable to determine the device handle for GPU0: 0000:01:00.0: Unknown Error"
        app.controller.emit(TelemetrySeen(server, heard(lost), world.now()))
        await until(pilot, lambda: banner.display, "the banner")
        assert "▲" in str(banner.content) and banner.region.height == 1
        app.controller.emit(TelemetrySeen(server, heard("@sys mem_total_kb=5"), world.now()))
        await until(pilot, lambda: not banner.display, "its end")
