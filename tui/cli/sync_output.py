"""Download checkpoints while a command follows a run, and print the result of a sync."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.voices.auto_download import AutoDownload
from sovdeck.remote.voices.sync import SyncResult, sync
from sovdeck.remote.voices.sync_policy import SyncPolicy
from sovdeck.remote.voices.transfer_options import TransferOptions
from sovdeck.tui.cli.console import Console


@contextmanager
def auto_download(
    session: ServerSession,
    voice: str,
    outputs: Path,
    options: TransferOptions,
    policy: SyncPolicy,
    console: Console,
) -> Iterator[AutoDownload]:
    """Context manager: an AutoDownload for the run that the block follows.

    Pass each batch of the run's events to its `handle_events`. An exception in the block cancels
    the download.
    """

    def print_result(result: SyncResult | Problem) -> None:
        if isinstance(result, Problem):
            console.print_message("tui.cli.save_failed", why=result.sentence(console.language))
            return
        for path in result.files:
            console.print_message("tui.cli.save_came", path=path)

    downloader = AutoDownload(
        lambda: sync(session, voice, outputs, options, policy=policy), print_result
    )
    try:
        yield downloader
    except BaseException:
        options.cancel.set()
        raise
    finally:
        downloader.close()


def print_sync_result(console: Console, result: SyncResult, server: str) -> None:
    """Print what a sync downloaded, and whether the server may be switched off."""
    console.print_message(
        "tui.cli.synced",
        voice=result.voice,
        count=len(result.files),
        size=format_bytes(result.bytes),
        kept=result.kept,
        folder=str(result.folder.parent.parent),
    )
    for path in result.refused:
        console.print_message("tui.cli.not_taken", path=path)
    safety = result.switch_off
    if safety.safe:
        console.print_message("tui.cli.safe_off", voice=result.voice, server=server)
    elif safety.running:
        console.print_message("tui.cli.still_running", server=server)
    elif safety.missing:
        console.print_message(
            "tui.cli.not_all_here", count=len(safety.missing), first=safety.missing[0]
        )
    else:
        console.print_message("tui.cli.nothing_named", voice=result.voice, server=server)
    console.print_json(
        {
            "voice": result.voice,
            "files": list(result.files),
            "bytes": result.bytes,
            "kept_files": result.kept,
            "refused": list(result.refused),
            "seconds": round(result.seconds, 2),
            "safe_to_switch_off": safety.safe,
            "missing": list(safety.missing),
            "running": safety.running,
        }
    )
