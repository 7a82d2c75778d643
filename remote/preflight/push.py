"""Before recordings are sent: room for them, and what a run on them would meet."""

from __future__ import annotations

import wave
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from sovdeck.engine.contract.foreign_values import parse_whole_number
from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.plan import PlanClip, PlanDevice, make_plan
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.remote.jobs.run_ids import make_run_id, voice_of_run
from sovdeck.remote.preflight.other_runs import find_active_runs
from sovdeck.remote.preflight.run import missing_weights
from sovdeck.remote.preflight.weights import find_weights
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.transfer.agent.remote_files import list_files
from sovdeck.remote.transfer.agent.staging import STAGING
from sovdeck.remote.voices.dataset import LocalRecordings


def check_push(
    session: ServerSession, recordings: LocalRecordings, spec: RunSpec
) -> tuple[Problem, ...]:
    """Raise Problem where the server has no room for what still has to be sent.

    spec: the run that is meant to follow. Returns what it would meet: batches that the recordings
    do not fill, weights that lack, an earlier run of the voice that goes on.
    """
    _require_disk_space(session, recordings)
    notices: list[Problem] = []
    clips = _measure_clips(recordings.files.values())
    if clips is not None:
        notices += make_plan(spec, clips, PlanDevice()).refusals
    if spec.pretrained is not None:
        weights = find_weights(session, spec.preset, spec.pretrained)
        if not weights.whole:
            notices.append(missing_weights(session, weights))
    own = voice_of_run(make_run_id(recordings.voice, datetime.now()))
    notices += [
        Problem(
            "remote.preflight.voice_in_use", ExitCode.OK, server=session.name, run=run, voice=own
        )
        for run in find_active_runs(session)
        if voice_of_run(run) == own
    ]
    return tuple(notices)


def _require_disk_space(session: ServerSession, recordings: LocalRecordings) -> None:
    connection, layout = session.connection(), session.layout()
    folder = str(layout.dataset(recordings.voice))
    result = connection.run(["df", "-Pk", str(layout.work)])
    words = result.out.decode("utf-8", "replace").strip().rpartition("\n")[2].split()
    blocks = parse_whole_number(words[3]) if len(words) >= 6 else None
    if blocks is None:
        return  # a df that cannot say: the disk itself will
    free = blocks << 10
    if recordings.bytes <= free:
        return
    sizes = {name: path.stat().st_size for name, path in recordings.files.items()}
    try:
        there = list_files(connection, folder, [STAGING, *sizes])
    except Problem as problem:
        if problem.key != "remote.transfer.no_such_file":
            raise
        there = []
    kept = sum(
        one.size
        for one in there
        if one.path.startswith(f"{STAGING}/") or sizes.get(one.path) == one.size
    )
    need = recordings.bytes - kept
    if need > free:
        raise Problem(
            "remote.preflight.no_space",
            ExitCode.DATA,
            server=session.name,
            folder=folder,
            need=format_bytes(need),
            have=format_bytes(free),
        )


def _measure_clips(paths: Iterable[Path]) -> list[PlanClip] | None:
    """Lengths by the headers of wav files; None where a recording is of another format."""
    clips = []
    for path in paths:
        if path.suffix == ".list":
            continue
        try:
            with wave.open(str(path), "rb") as sound:
                clips.append(PlanClip(sound.getnframes() / sound.getframerate()))
        except (wave.Error, EOFError, OSError, ZeroDivisionError):
            return None
    return clips
