"""The spec of a run, from what a person asks for and what deploy.toml holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sovdeck.engine.contract.params import ParamValue
from sovdeck.engine.contract.spec import TINY_PRESETS, RunSpec
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.jobs.run_ids import make_run_id
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.voices.dataset import remote_dataset_paths


def make_run_spec(
    session: ServerSession,
    voice: str,
    preset: str,
    params: Mapping[str, ParamValue],
    *,
    from_nothing: bool = False,
    run: str | None = None,
) -> RunSpec:
    """Make the valid spec of a run of `voice` on a server; Problem for what cannot be.

    params: all that differs from the table's defaults. from_nothing: without pretrained weights,
    as the tiny presets always are. run: its id; None makes one.
    """
    train, deployed = session.config.train, session.find_deployment()
    # Without a deployment a run can be planned, not started: the paths do not matter yet.
    paths = remote_dataset_paths(deployed.layout, voice) if deployed else ("", "")
    scratch = from_nothing or preset in TINY_PRESETS
    spec = RunSpec(
        run=run or make_run_id(voice, datetime.now()),
        voice=voice,
        preset=preset,
        list_file=paths[0],
        wav_folder=paths[1],
        params=params,
        pretrained=None if scratch else (train.pretrained or None),
        proof_text=train.proof_text,
        proof_language=train.proof_language,
    )
    spec.validate()
    return spec


def find_run_spec(session: ServerSession, run: str) -> RunSpec | None:
    """The spec that a run on the server was started with; None where there is no such run."""
    handle = job_client.make_handle(session.layout(), run)
    found = session.connection().run(["cat", str(handle.folder.spec)])
    return RunSpec.from_json(found.out.decode("utf-8", "replace")) if found.code == 0 else None


def planned_run(session: ServerSession, voice: str) -> RunSpec:
    """The run of `voice` that deploy.toml describes."""
    train = session.config.train
    return make_run_spec(session, voice, train.preset, train.params)
