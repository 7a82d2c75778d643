"""One transfer in two rows: bar, bytes, speed and time left; then its phase or result."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.message_pump import MessagePump

from sovdeck.engine.contract.format import format_bytes, format_duration, format_percent
from sovdeck.tui.state.models import Transfer
from sovdeck.tui.text.i18n import translate, translate_text
from sovdeck.tui.widgets.progress_bar import progress_bar

_PHASE_TEXT_KEYS = {
    "pack": "tui.voices.phase_pack",
    "transfer": "tui.voices.phase_transfer",
    "receive": "tui.voices.phase_transfer",
    "send": "tui.voices.phase_transfer",
    "verify": "tui.voices.phase_verify",
    "unpack": "tui.voices.phase_unpack",
}


def transfer_lines(node: MessagePump, transfer: Transfer, width: int) -> list[Content]:
    """The two rows of one transfer."""
    arrow = "↓" if transfer.kind == "pull" else "↑"
    share = transfer.done / transfer.total if transfer.total else None
    if transfer.state == "done":
        share = 1.0
    colour = {"done": "$success", "failed": "$error", "cancelled": "$warning"}.get(
        transfer.state, "$secondary"
    )
    amount = f"{format_bytes(transfer.done)} / {format_bytes(transfer.total)}"
    if transfer.state == "running" and transfer.bytes_per_second is not None:
        amount += f"  {format_bytes(transfer.bytes_per_second)}/s"
    if transfer.state == "running" and transfer.eta_s is not None:
        amount += "  " + translate(node, "tui.monitor.eta", time=format_duration(transfer.eta_s))
    bar_width = max(10, min(36, width - 34 - len(amount)))
    head = Content.assemble(
        (f"{arrow} {transfer.voice:<14} ", "bold"),
        progress_bar(share, bar_width, colour),
        f" {format_percent(share):>5}  ",
        (amount, "$foreground"),
    )
    return [head, Content.assemble("  ", _status_text(node, transfer))]


def transfers_text(node: MessagePump, transfers: Sequence[Transfer], width: int) -> Content:
    """Several transfers below each other."""
    lines = [line for one in transfers for line in transfer_lines(node, one, width)]
    return Content("\n").join(lines)


def _status_text(node: MessagePump, transfer: Transfer) -> Content:
    if transfer.state == "failed":
        if transfer.why is None:
            return Content.styled(translate(node, "tui.voices.failed"), "$error")
        why, todo = translate_text(node, transfer.why.text), translate_text(node, transfer.why.hint)
        return Content.assemble((why, "$error"), (f" {todo}", "$faint"))
    if transfer.state == "cancelled":
        return Content.styled(translate(node, "tui.voices.paused"), "$warning")
    if transfer.state == "done":
        if transfer.kind == "push":
            return Content.styled(translate(node, "tui.voices.pushed"), "$success")
        if not transfer.verified:
            return Content.styled(translate(node, "tui.voices.unverified"), "$warning")
        if transfer.automatic:
            came = translate(node, "tui.voices.by_itself", count=transfer.count)
            return Content.styled(came, "bold $success")
        short = (transfer.sha256 or "")[:12]
        key = "tui.voices.verified_at_work" if transfer.server_busy else "tui.voices.verified"
        return Content.styled(
            translate(node, key, server=transfer.server, sha=short), "bold $success"
        )
    text = translate(node, _PHASE_TEXT_KEYS.get(transfer.phase, "tui.voices.phase_start"))
    if transfer.retries:
        text += "  " + translate(node, "tui.voices.retries", count=transfer.retries)
    return Content.styled(text, "$faint")
