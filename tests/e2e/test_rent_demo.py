"""`sovdeck demo --rent` and the dashboard's rental: from simulated providers to a voice at home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from trip_steps import ROOT, VOICE, Recorded, laptop

from sovdeck.remote.auth.keypair import ensure_key
from sovdeck.remote.embedded.client import start_embedded
from sovdeck.remote.rent.accounts import SIMULATORS_VARIABLE
from sovdeck.remote.rent.leases import LeaseBook
from sovdeck.tui.cli.demo.cloud_server import serve_cloud
from sovdeck.tui.cli.demo.simulated_cloud import SimulatedCloud
from sovdeck.tui.services.live.services import live_services
from sovdeck.tui.state import events as ev

QUICK = '"sovits.epochs" = 1\n"gpt.epochs" = 2\n"train.device" = "cpu"\n"train.repeats" = 1\n'


class Nobody:
    """No person is there."""

    def confirm_host_key(self, prompt: object) -> bool:
        return False

    def ask_secret(self, prompt: object) -> str | None:
        return None

    def accept_offer(self, prompt: object) -> bool:
        return False


@pytest.mark.long
def test_a_newcomer_sees_the_whole_way_without_an_account(tmp_path: Path) -> None:
    env = {**os.environ, "SOVDECK_LANG": "en", "PYTHONPATH": str(ROOT / "dev")}
    env.pop("SSH_AUTH_SOCK", None)
    env["VAST_API_KEY"] = "planted-key-of-a-real-account"
    done = subprocess.run(
        [sys.executable, "-m", "sovdeck.tui", "demo", "--rent", "--headless", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=env,
        stdin=subprocess.DEVNULL,
        timeout=900,
    )
    said = done.stdout[-2500:] + done.stderr[-2500:]
    assert done.returncode == 0, said
    records = [json.loads(line) for line in done.stdout.splitlines()]
    last, sentences = records[-1], {one.get("say") for one in records}
    assert last["status"] == "succeeded" and last["simulated"] and last["rented"] == 1, said
    assert last["still_billing"] == 0 and len(last["zips"]) == 1
    assert {"rent_simulated", "home", "destroyed", "spend_line", "rent_honest"} <= sentences
    assert (tmp_path / "demo" / "voices" / "Demo.zip").stat().st_size > 0
    assert not (tmp_path / "demo" / "server").exists()  # what it made for itself is gone
    assert "planted" not in done.stdout + done.stderr


@pytest.mark.long
def test_a_rental_left_in_the_dashboard_goes_on_brings_the_voice_home_and_ends_the_server(
    tmp_path: Path, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    app_paths, project = laptop(home, tmp_path / "work")
    with project.open("a", encoding="utf-8") as lines:
        lines.write(
            f'[train]\nvoice = "{VOICE}"\npreset = "tiny"\npretrained = ""\n[train.params]\n{QUICK}'
            f"[dataset]\nlist = {json.dumps(recorded.list_file.as_posix())}\n"
            f"wavs = {json.dumps(recorded.wavs.as_posix())}\n"
        )
    ensure_key(app_paths.private_key)
    monkeypatch.setenv("SOVDECK_HOME", str(home))
    told: list[Any] = []
    sshd = start_embedded(tmp_path / "sshd", tmp_path / "server", identity=app_paths.private_key)
    with sshd:
        cloud = SimulatedCloud(start_s=0.0, clock=time.time, address=(sshd.host, sshd.port))
        with serve_cloud("runpod", cloud) as base:
            monkeypatch.setenv(SIMULATORS_VARIABLE, f"runpod={base}")
            with live_services(project, app_paths) as services:
                cancel = threading.Event()
                services.rentals.list_offers("", "", told.append, cancel)
                offers = told[-1].view
                assert offers.voice == VOICE and offers.simulated and offers.offers, offers.why
                chosen = offers.offers[0].id

                def leave_at_push(event: object) -> None:
                    told.append(event)
                    if isinstance(event, ev.JourneyChanged) and event.view.station == "push":
                        cancel.set()

                services.rentals.rent(chosen, "destroy", Nobody(), leave_at_push, cancel)
                assert len(cloud.billing()) == 1, "left as it is"
                left_at = len(told)
                services.rentals.remind(told.append)
                (reminder,) = [one for one in told[left_at:] if isinstance(one, ev.NoticeRaised)]
                assert f"sovdeck rent resume runpod-{VOICE}" in reminder.hint.en
                services.rentals.resume(f"runpod-{VOICE}", Nobody(), told.append, threading.Event())
                after = len(told)
                services.rentals.remind(told.append)
                assert len(told) == after, "nothing is rented any more"
    journey = [one.view for one in told if isinstance(one, ev.JourneyChanged)]
    assert journey[-1].ended == "done", journey[-1]
    stations = list(dict.fromkeys(view.station for view in journey))
    assert stations == (
        ["create", "start", "add", "deploy", "weights", "push", "autostop", "train", "home", "end"]
    )
    assert cloud.billing() == [] and len(cloud.creations) == len(cloud.destroyed) == 1
    (lease,) = LeaseBook(app_paths.leases_file).read()
    assert lease.home_at is not None and not lease.is_open
    assert list((home / "voices").rglob("*.zip")), "the voice's zip is here"
    servers = [one for one in told if isinstance(one, ev.ServersLoaded)]
    assert {row.name for row in servers[0].servers} >= {f"runpod-{VOICE}"}
    assert f"runpod-{VOICE}" not in {row.name for row in servers[-1].servers}
    run = [one for one in told if isinstance(one, ev.RunChosen)]
    assert len(run) == 1 and run[0].server == f"runpod-{VOICE}"
