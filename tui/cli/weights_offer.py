"""Fetching pretrained weights from a command: shown, offered, with progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.http_download import url_host
from sovdeck.engine.contract.optional_models import WHISPER, OptionalModel
from sovdeck.engine.contract.pretrained_set import hub_urls
from sovdeck.remote.preflight.weights import (
    FetchProgress,
    WeightsState,
    fetch_models,
    fetch_weights,
    lacking_models,
)
from sovdeck.remote.servers.server import ServerSession
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.prompts import TerminalDialog
from sovdeck.tui.cli.transfer_output import cancel_on_interrupt, format_transfer_progress


def offer_weights(session: ServerSession, weights: WeightsState, console: Console) -> bool:
    """Say what lacks, and on a terminal offer to fetch it; whether all is there then."""
    facts = {
        "server": session.name,
        "version": weights.version,
        "count": len(weights.missing),
        "megabytes": weights.megabytes,
        "source": _source_names(session.config.models.sources),
    }
    if not TerminalDialog(console).confirm("tui.cli.offer_weights", **facts):
        return False
    fetch_with_progress(session, weights.version, console, set_name=weights.set_name)
    console.print_message("tui.cli.models_whole", set=weights.set_name, server=session.name)
    return True


def fetch_with_progress(
    session: ServerSession,
    version: str,
    console: Console,
    *,
    set_name: str = "",
    sources: Sequence[str] = (),
) -> dict[str, Any]:
    """Let the server fetch what lacks, and show each file's progress; the engine's account."""

    with cancel_on_interrupt() as cancel:
        return fetch_weights(
            session,
            version,
            report=_reporter(console),
            cancel=cancel,
            set_name=set_name,
            sources=sources,
        )


def offer_whisper(session: ServerSession, console: Console) -> bool:
    """Offer the recogniser that writes recordings down; whether it is there then."""
    if not lacking_models(session, [WHISPER]):
        return True
    facts = {"server": session.name, "megabytes": WHISPER.megabytes}
    if not TerminalDialog(console).confirm("tui.cli.offer_whisper", **facts):
        console.print_message("tui.cli.no_whisper", **facts)
        return False
    fetch_models_with_progress(session, [WHISPER], console)
    return True


def fetch_models_with_progress(
    session: ServerSession,
    models: Sequence[OptionalModel],
    console: Console,
    *,
    sources: Sequence[str] = (),
) -> None:
    """Let the server fetch optional models, and show each file's progress."""
    with cancel_on_interrupt() as cancel:
        fetch_models(session, models, report=_reporter(console), cancel=cancel, sources=sources)


def _reporter(console: Console) -> Callable[[FetchProgress], None]:
    def report(progress: FetchProgress) -> None:
        total = f" / {format_bytes(progress.total)}" if progress.total else ""
        line = f"{progress.file}  {format_bytes(progress.have)}{total}"
        record: dict[str, Any] = {
            "progress": progress.file,
            "done": progress.have,
            "total": progress.total,
        }
        if (overall := progress.overall) is not None:
            record |= {
                "all_done": overall.done,
                "all_total": overall.total,
                "bytes_per_second": round(overall.bytes_per_second),
                "eta_s": overall.eta_s,
            }
            line += f"  |  {format_transfer_progress(overall)}"
        console.print_json(record)
        console.show_progress(line)

    return report


def _source_names(sources: Sequence[str]) -> str:
    """Where the files come from, as people call it: hosts and folders."""
    return ", ".join(dict.fromkeys(url_host(one) for one in (*sources, *hub_urls())))
