"""Voices of real servers: what lies there, what is here, and downloads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.layout import WEIGHT_FOLDERS, weight_epoch
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.ssh.retry import retry_on_new_connection
from sovdeck.remote.transfer.agent.remote_files import list_files
from sovdeck.remote.transfer.core.part_journal import RemoteFile
from sovdeck.remote.transfer.core.progress import TransferProgress
from sovdeck.remote.voices.auto_download import AutoDownload
from sovdeck.remote.voices.community_folder import COMMUNITY, write_community_folder
from sovdeck.remote.voices.download import download_voice, pack_contents
from sovdeck.remote.voices.download_index import DownloadIndex
from sovdeck.remote.voices.listing import version_of, voice_of
from sovdeck.remote.voices.sync import SyncResult, sync
from sovdeck.remote.voices.sync_policy import SyncPolicy
from sovdeck.remote.voices.transfer_options import TransferOptions
from sovdeck.tui.services.connections import ConnectionRegistry, now_ms
from sovdeck.tui.services.converters import with_progress
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.models import CheckpointRow, Transfer, Voice
from sovdeck.tui.state.server_models import Remark

LISTED_FOLDERS = (*WEIGHT_FOLDERS, "packs")
ENDING_POLLS, ENDING_POLL_S = 3, 1.0


class LiveVoices:
    """Lists voices and downloads them."""

    def __init__(self, connections: ConnectionRegistry) -> None:
        self._connections = connections

    def refresh(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """Emit the voices of a server."""
        session = self._connections.session(server)
        emit(ev.VoicesSeen(server, self._list_voices(session), now_ms()))

    def pull(
        self, server: str, voice: str, emit: Emit, cancel: Cancel, *, community: bool = False
    ) -> None:
        """Download and verify a voice; emit the transfer and the voices."""
        session = self._connections.session(server)
        row = Transfer(f"pull:{server}/{voice}", "pull", server, voice)

        def report(progress: TransferProgress) -> None:
            nonlocal row
            row = with_progress(row, progress)
            emit(ev.TransferChanged(row))

        try:
            downloaded = download_voice(
                session,
                voice,
                session.outputs,
                TransferOptions.from_config(session.config, report, cancel),
                verify=session.config.pull.verify,
                contents=pack_contents(session.config),
            )
        except Problem:
            if cancel.is_set():
                return  # what arrived stays; the next pull goes on from there
            raise
        folder = downloaded.folder
        if community:
            written = write_community_folder(folder, folder / COMMUNITY)
            folder = written.folder
            if written.left_out:
                message = text("tui.cli.community_left_out", moods=", ".join(written.left_out))
                emit(ev.NoticeRaised("warning", message, now_ms()))
        emit(
            ev.TransferChanged(
                replace(
                    row,
                    state="done",
                    phase="",
                    done=downloaded.bytes,
                    total=downloaded.bytes,
                    verified=downloaded.verified,
                    path=str(folder),
                    sha256=downloaded.sha256,
                    server_busy=has_active_run_after_grace(session, cancel),
                )
            )
        )
        emit(ev.VoicesSeen(server, self._list_voices(session), now_ms()))

    def start_auto_download(
        self, server: str, voice: str, emit: Emit, cancel: Cancel
    ) -> AutoDownload | None:
        """Start to download the saves of a running voice, where deploy.toml wants that.

        Feed it the run's events, and close it when the run is watched no more.
        """
        session = self._connections.session(server)
        policy = SyncPolicy(session.config.pull.auto)
        if policy is SyncPolicy.NEVER or not voice:
            return None
        row = Transfer(f"auto:{server}/{voice}", "pull", server, voice, automatic=True)

        def report(progress: TransferProgress) -> None:
            nonlocal row
            row = with_progress(replace(row, state="running"), progress)
            emit(ev.TransferChanged(row))

        options = TransferOptions.from_config(session.config, report, cancel, background=True)

        def on_synced(result: SyncResult | Problem) -> None:
            if isinstance(result, Problem):
                why = Remark("warning", result.message, result.hint)
                emit(ev.TransferChanged(replace(row, state="failed", why=why)))
                return
            done = replace(
                row,
                state="done",
                phase="",
                done=result.bytes,
                total=result.bytes,
                verified=True,
                path=str(result.folder),
                count=len(result.files),
                why=None,
            )
            emit(ev.TransferChanged(done))
            emit(ev.VoicesSeen(server, self._list_voices(session), now_ms()))

        return AutoDownload(
            lambda: sync(session, voice, session.outputs, options, policy=policy), on_synced
        )

    def _list_voices(self, session: ServerSession) -> tuple[Voice, ...]:
        connection, work = session.connection(), str(session.layout().work)
        found = retry_on_new_connection(
            connection, session.connect, lambda there: list_files(there, work, LISTED_FOLDERS)
        )
        busy = has_active_run(session)
        outputs = session.outputs
        downloaded = DownloadIndex(outputs).verified_on(connection.name)
        versions = {one.path: version_of(one.size, one.mtime) for one in found}

        def with_local_copy(voice: Voice) -> Voice:
            if voice.pack is None or voice.pack not in downloaded:
                return voice
            # Safe means: this very pack is here, compared with the server's, and nothing runs.
            same = downloaded[voice.pack] == versions[voice.pack]
            return replace(voice, local_folder=str(outputs / voice.name), safe=same and not busy)

        return tuple(map(with_local_copy, parse_voice_listing(session.name, found)))


def has_active_run_after_grace(session: ServerSession, cancel: Cancel) -> bool:
    """As `has_active_run`, but a run that is just ending gets a moment to do so."""
    for _ in range(ENDING_POLLS):
        if not has_active_run(session):
            return False
        cancel.wait(ENDING_POLL_S)
    return has_active_run(session)


def has_active_run(session: ServerSession) -> bool:
    """Whether any run on the server may still write."""
    layout = session.layout()
    states = retry_on_new_connection(
        session.connection(), session.connect, lambda there: job_client.list_runs(there, layout)
    )
    return any(not state.ended for state in states)


def parse_voice_listing(server: str, found: Sequence[RemoteFile]) -> tuple[Voice, ...]:
    """The voices that weights and packs below the work folder belong to. Pure."""
    voices: dict[str, Voice] = {}
    for one in found:
        name = voice_of(one.path)
        if not name:
            continue
        voice = voices.setdefault(name, Voice(server, name))
        point = _checkpoint_row(one.path, one.size)
        if point is not None:
            voices[name] = replace(voice, checkpoints=(*voice.checkpoints, point))
        elif one.path.startswith("packs/"):
            voices[name] = replace(voice, pack=one.path, pack_bytes=one.size)
    order = sorted(voices.values(), key=lambda voice: voice.name)
    return tuple(
        replace(voice, checkpoints=tuple(sorted(voice.checkpoints, key=_training_order)))
        for voice in order
    )


def _checkpoint_row(path: str, size: int) -> CheckpointRow | None:
    folder = WEIGHT_FOLDERS.get(path.split("/")[0])
    found = weight_epoch(path)
    if folder is None or found is None:
        return None
    epoch, step = found
    stage, version = folder
    return CheckpointRow(path, stage, epoch, size, step, version)


def _training_order(point: CheckpointRow) -> tuple[str, str, int, int]:
    return (point.stage, point.version, point.epoch, point.step or 0)
