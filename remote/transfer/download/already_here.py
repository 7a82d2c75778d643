"""Tells which files of a server are here already, so that they are not fetched again."""

from __future__ import annotations

from collections.abc import Sequence

from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.remote.transfer.agent import remote_files
from sovdeck.remote.transfer.agent.remote_files import RemoteFile
from sovdeck.remote.transfer.core.interfaces import TransferConnection
from sovdeck.remote.transfer.download.part_file import disk_errors
from sovdeck.remote.transfer.download.tar_batches import DownloadItem


def split_missing(
    connection: TransferConnection,
    folder: str,
    found: Sequence[RemoteFile],
    items: Sequence[DownloadItem],
) -> tuple[list[DownloadItem], list[tuple[DownloadItem, str]]]:
    """Items that are not here, and those that are with their SHA-256.

    The server hashes only what has a namesake of its size here.
    """
    likely = {item.path: item for item in items if _same_size(item)}
    named = [one for one in found if one.path in likely]
    theirs = remote_files.fetch_sha256_sums(connection, folder, named) if named else {}
    same: dict[str, tuple[DownloadItem, str]] = {}
    for path, item in likely.items():
        with disk_errors(item.local):
            if path in theirs and file_sha256(item.local) == theirs[path]:
                same[path] = (item, theirs[path])
    return [item for item in items if item.path not in same], list(same.values())


def _same_size(item: DownloadItem) -> bool:
    with disk_errors(item.local):
        return item.local.is_file() and item.local.stat().st_size == item.size
