"""What nvidia-smi complains of stands on the Monitor screen until it says otherwise."""

from __future__ import annotations

from collections.abc import Callable

from pilot_waits import settled, until
from textual.widgets import Static

from sovdeck.remote.probe.nvidia_smi import GPU_FIELDS
from sovdeck.remote.probe.telemetry import TelemetryParser
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.services.converters import to_telemetry
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.state.events import TelemetrySeen
from sovdeck.tui.state.server_models import Telemetry


def heard(lines: str) -> Telemetry:
    sample = TelemetryParser().feed(f"@fields {','.join(GPU_FIELDS)}\n{lines}\n".encode(), 0)
    assert sample is not None
    return to_telemetry(sample)


def test_a_fault_is_a_sentence_and_a_server_without_a_gpu_has_none() -> None:
    reported = heard(
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    )
    assert [fault.level for fault in reported.faults] == ["warning"]
    assert "driver" in reported.faults[0].text.en and reported.faults[0].hint.zh
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
