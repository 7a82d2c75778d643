"""Downloads what is new of a voice: checkpoints, samples and the pack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from sovdeck.remote import filenames
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.jobs.run_summaries import fetch_summaries
from sovdeck.remote.servers.deployed_server import DeployedServer
from sovdeck.remote.ssh.client import SSHConnection
from sovdeck.remote.ssh.retry import retry_on_new_connection
from sovdeck.remote.transfer.core.part_journal import RemoteFile
from sovdeck.remote.transfer.core.progress import TransferMeter
from sovdeck.remote.transfer.core.tuning import STREAM_BYTES
from sovdeck.remote.transfer.download.file import MAX_FILE_BYTES
from sovdeck.remote.transfer.download.files import pull_files, split_missing
from sovdeck.remote.transfer.download.tar_batches import DownloadItem
from sovdeck.remote.voices import listing as voice_listing
from sovdeck.remote.voices import sync_policy
from sovdeck.remote.voices.download import download_voice
from sovdeck.remote.voices.download_index import DownloadIndex, VerifiedFile
from sovdeck.remote.voices.listing import VoiceFiles, as_checkpoint, version_of
from sovdeck.remote.voices.sync_policy import (
    SwitchOffCheck,
    SyncPolicy,
    check_switch_off,
    select_new,
)
from sovdeck.remote.voices.transfer_options import OnReceived, TransferOptions


@dataclass(frozen=True)
class SyncResult:
    """What one sync did. files: paths on the server of those received now.

    bytes: of these. kept: how many were here already. folder: of the checkpoints here.
    switch_off: whether all that the policy selects, the pack with it, is here. refused: paths on
    the server that are not fetched, since this computer cannot have their name or size.
    """

    voice: str
    folder: Path
    files: tuple[str, ...]
    bytes: int
    kept: int
    seconds: float
    switch_off: SwitchOffCheck
    refused: tuple[str, ...] = ()


def sync(
    server: DeployedServer,
    voice: str,
    outputs: Path,
    options: TransferOptions,
    *,
    policy: SyncPolicy = SyncPolicy.EACH_CHECKPOINT,
    scores: Mapping[str, float] | None = None,
) -> SyncResult:
    """Download what `policy` selects of `voice` and is not here; raises Problem.

    scores: see `sync_policy.validation_scores`; None reads them from the newest run when they
    matter. What came before an interruption is kept, and the next call fetches the rest.
    """
    began = monotonic()
    connection, deployed = server.connection(), server.require_deployment()
    layout = deployed.layout
    found = voice_listing.list_voice_files(connection, layout, voice)
    if scores is None:
        scores = _read_scores(connection, deployed, found) if policy is SyncPolicy.BEST else {}
    checkpoints = [as_checkpoint(one, dict(scores)) for one in found.files]
    index = DownloadIndex(outputs)
    wanted = select_new(policy, checkpoints, {})
    missing = {
        one.path for one in select_new(policy, checkpoints, index.verified_on(connection.name))
    }
    received: list[tuple[str, int]] = []

    def record_received(path: str, size: int) -> None:
        received.append((path, size))
        options.on_received(path, size)

    fetched = (server, connection, found, missing, outputs, index, options)
    refused = _download_files(*fetched, record_received)
    if found.pack is not None and found.pack.path in missing:
        downloaded = download_voice(server, voice, outputs, options)
        record_received(found.pack.path, downloaded.bytes)
    states = retry_on_new_connection(
        connection, server.connect, lambda live: job_client.list_runs(live, layout)
    )
    running = any(not state.ended for state in states)
    switch_off = check_switch_off(wanted, index.verified_on(connection.name), running=running)
    folder = outputs / voice_listing.CHECKPOINTS_FOLDER / voice
    received_bytes = sum(size for _, size in received)
    names = tuple(path for path, _ in received)
    return SyncResult(
        voice,
        folder,
        names,
        received_bytes,
        len(wanted) - len(names) - len(refused),
        monotonic() - began,
        switch_off,
        refused,
    )


def _read_scores(
    connection: SSHConnection, deployed: Deployed, found: VoiceFiles
) -> dict[str, float]:
    if not found.runs:
        return {}
    newest = found.runs[-1]
    summary = fetch_summaries(connection, deployed, [newest], history=True)[newest]
    return sync_policy.validation_scores(summary.state)


def _download_files(
    server: DeployedServer,
    connection: SSHConnection,
    found: VoiceFiles,
    selected: set[str],
    outputs: Path,
    index: DownloadIndex,
    options: TransferOptions,
    on_received: OnReceived,
) -> tuple[str, ...]:
    """Download the selected paths but the pack; returns those that cannot be written here."""
    named = [one for one in found.files if one.path in selected and one is not found.pack]
    versions = {one.path: version_of(one.size, one.mtime) for one in named}
    work = str(server.require_deployment().layout.work)
    items, refused = _download_items(named, found.voice, outputs)
    if not items:
        return refused
    verified_files: list[VerifiedFile] = []

    def verified(item: DownloadItem, sha256: str) -> None:
        version = versions[item.path]
        verified_files.append(
            index.verified_file(connection.name, item.path, version, item.size, sha256, item.local)
        )
        if item.size > STREAM_BYTES:  # stored at once; small ones are stored together at the end
            index.add(*verified_files)

    def arrived(item: DownloadItem, sha256: str) -> None:
        verified(item, sha256)
        on_received(item.path, item.size)

    missing, same = split_missing(connection, work, named, items)
    for item, sha256 in same:
        verified(item, sha256)
    try:
        with closing(server.connect()) as first:
            pull_files(
                server.connect,
                work,
                missing,
                outputs,
                first=first,
                meter=TransferMeter(),
                report=options.report,
                cancel=options.cancel,
                on_received=arrived,
                bandwidth=options.bandwidth,
                tuning=options.tuning,
            )
    finally:
        index.add(*verified_files)
    return refused


def _download_items(
    named: Sequence[RemoteFile], voice: str, outputs: Path
) -> tuple[list[DownloadItem], tuple[str, ...]]:
    """Where each file goes here, and the paths of those that go nowhere: one stops no other."""
    taken = filenames.TakenPaths()
    items, refused = [], []
    for one in named:
        local = voice_listing.local_path(voice, one.path)
        if local is None or one.size > MAX_FILE_BYTES or not taken.claim(local):
            refused.append(one.path)
        else:
            items.append(DownloadItem(one.path, one.size, outputs / local))
    return items, tuple(refused)
