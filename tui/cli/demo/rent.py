"""`sovdeck demo --rent`: the whole way of renting, from simulated providers, on one computer.

What is simulated: the accounts, their HTTP interfaces, the prices. What is real: the SSH server
that stands for whatever is rented, the deployment, the training, the verified download.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sovdeck.engine.contract.format import format_short_duration
from sovdeck.remote.rent.accounts import SIMULATORS_VARIABLE
from sovdeck.remote.rent.leases import Lease, LeaseBook
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.demo.cloud_server import serve_cloud
from sovdeck.tui.cli.demo.simulated_cloud import SimulatedCloud
from sovdeck.tui.cli.main import main
from sovdeck.tui.dashboard.open_dashboard import open_dashboard
from sovdeck.tui.practice.local_server import PRACTICE_VOICE, PracticeEnvironment

SIMULATED_PROVIDERS = ("runpod", "vast")
_START_S = 6.0  # a real one takes minutes
_OWN_FOLDERS = ("server", "sshd", "config", "data", "cache")


@dataclass(frozen=True)
class RentResult:
    """What was rented in the demo, and what became of it.

    left: servers that still bill. failures: names of the checks that failed.
    """

    leases: tuple[Lease, ...]
    left: int
    zips: tuple[Path, ...]
    seconds: float

    @property
    def failures(self) -> tuple[str, ...]:
        """Empty when nothing was rented, or all ended as it should."""
        if not self.leases:
            return ()
        passed = {
            "voice_is_home": bool(self.zips) and any(one.home_at for one in self.leases),
            "every_server_is_gone": not any(one.is_open for one in self.leases),
            "nothing_bills": self.left == 0,
        }
        return tuple(name for name, ok in passed.items() if not ok)


def run_rent_demo(folder: Path, console: Console, *, headless: bool, keep: bool) -> int:
    """Rent, train, bring home and destroy; 0 only when every check passed.

    headless: `sovdeck rent` does it all; else the dashboard opens, and a person does.
    """
    began = time.monotonic()
    with PracticeEnvironment(folder, own_key=True) as environment:
        dataset = environment.make_dataset()
        environment.write_project(dataset)
        with _simulated_providers(environment) as clouds:
            console.print_message("tui.demo.rent_simulated", line=environment.ssh_line)
            facts = {"clips": dataset.clips, "seconds": round(dataset.seconds)}
            console.print_message("tui.demo.rent_dataset", **facts)
            if headless:
                _sovdeck(environment, console, "rent", "--offer", "1", "--end", "destroy", "--yes")
            else:
                console.print_message("tui.demo.rent_how")
                open_dashboard(
                    environment.project,
                    console.language,
                    app_paths=environment.app_paths,
                    start="servers",
                )
            result = _look_at_result(environment, clouds, time.monotonic() - began)
            if result.leases:
                _sovdeck(environment, console, "rent", "spend")
        _print_result(result, environment, console)
    if not keep and not result.failures:
        for name in _OWN_FOLDERS:
            shutil.rmtree(environment.folder / name, ignore_errors=True)
    console.print_json(
        {
            "status": "failed" if result.failures else "succeeded",
            "simulated": True,
            "rented": len(result.leases),
            "still_billing": result.left,
            "zips": [str(path) for path in result.zips],
            "seconds": round(result.seconds, 1),
            "failures": list(result.failures),
        }
    )
    return 1 if result.failures else 0


@contextmanager
def _simulated_providers(environment: PracticeEnvironment) -> Iterator[Sequence[SimulatedCloud]]:
    """Simulated providers whose every instance is the demo's own SSH server.

    Within, `sovdeck` works below the demo's folder and asks no other provider.
    """
    server = environment.server
    clouds = [
        SimulatedCloud(seed, start_s=_START_S, clock=time.time, address=(server.host, server.port))
        for seed, _ in enumerate(SIMULATED_PROVIDERS)
    ]
    with ExitStack() as stack:
        places = [
            f"{name}={stack.enter_context(serve_cloud(name, cloud))}"
            for name, cloud in zip(SIMULATED_PROVIDERS, clouds, strict=True)
        ]
        stack.enter_context(_environment_variable(SIMULATORS_VARIABLE, ",".join(places)))
        stack.enter_context(_environment_variable("SOVDECK_HOME", str(environment.folder)))
        yield clouds


@contextmanager
def _environment_variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def _sovdeck(environment: PracticeEnvironment, console: Console, *words: str) -> int:
    """Run one command as a person would, over the demo's own configuration."""
    given = ["--config", str(environment.project), "--lang", console.language, *words]
    return main([*given, *(["--json"] if console.json_output else [])])


def _look_at_result(
    environment: PracticeEnvironment, clouds: Sequence[SimulatedCloud], seconds: float
) -> RentResult:
    leases = LeaseBook(environment.app_paths.leases_file).read()
    return RentResult(
        tuple(lease for lease in leases if lease.instance),
        sum(len(cloud.billing()) for cloud in clouds),
        tuple(sorted(environment.outputs.rglob(f"{PRACTICE_VOICE}*.zip"))),
        seconds,
    )


def _print_result(result: RentResult, environment: PracticeEnvironment, console: Console) -> None:
    """Print what is home, what became of the server, and what all this proves."""
    if not result.leases:
        console.print_message("tui.demo.rent_nothing")
    for path in result.zips:
        console.print_message("tui.demo.rent_home", path=str(path))
    if result.leases:
        seconds = format_short_duration(result.seconds)
        console.print_message("tui.demo.places", seconds=seconds, outputs=str(environment.outputs))
        console.print_message("tui.demo.rent_honest")
    for name in result.failures:
        console.print_error(f"broken promise: {name}")
