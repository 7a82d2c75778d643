"""One transfer in two rows: bar, bytes, speed, time left; then what it means for the person."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.message_pump import MessagePump

from tui.figures import bar, duration, percent, size
from tui.language import say, tell
from tui.state.work import Transfer

_PHASES = {
    "pack": "tui.voices.phase_pack",
    "transfer": "tui.voices.phase_transfer",
    "receive": "tui.voices.phase_transfer",
    "send": "tui.voices.phase_transfer",
    "verify": "tui.voices.phase_verify",
    "unpack": "tui.voices.phase_unpack",
}


def transfer_lines(node: MessagePump, transfer: Transfer, width: int) -> list[Content]:
    arrow = "↓" if transfer.kind == "pull" else "↑"
    share = transfer.done / transfer.total if transfer.total else None
    if transfer.state == "done":
        share = 1.0
    colour = {"done": "$success", "failed": "$error", "cancelled": "$warning"}.get(
        transfer.state, "$secondary"
    )
    figures = f"{size(transfer.done)} / {size(transfer.total)}"
    if transfer.state == "running" and transfer.bytes_per_second is not None:
        figures += f"  {size(transfer.bytes_per_second)}/s"
    if transfer.state == "running" and transfer.eta_s is not None:
        figures += "  " + say(node, "tui.monitor.eta", time=duration(transfer.eta_s))
    bar_width = max(10, min(36, width - 34 - len(figures)))
    head = Content.assemble(
        (f"{arrow} {transfer.voice:<14} ", "bold"), bar(share, bar_width, colour),
        f" {percent(share):>5}  ", (figures, "$foreground"),
    )  # fmt: skip
    return [head, Content.assemble("  ", _meaning(node, transfer))]


def transfers_text(node: MessagePump, transfers: Sequence[Transfer], width: int) -> Content:
    """Several transfers below each other."""
    lines = [line for one in transfers for line in transfer_lines(node, one, width)]
    return Content("\n").join(lines)


def _meaning(node: MessagePump, transfer: Transfer) -> Content:
    if transfer.state == "failed":
        if transfer.why is None:
            return Content.styled(say(node, "tui.voices.failed"), "$error")
        why, todo = tell(node, transfer.why.text), tell(node, transfer.why.hint)
        return Content.assemble((why, "$error"), (f" {todo}", "$faint"))
    if transfer.state == "cancelled":
        return Content.styled(say(node, "tui.voices.paused"), "$warning")
    if transfer.state == "done":
        if transfer.kind == "push":
            return Content.styled(say(node, "tui.voices.pushed"), "$success")
        if not transfer.verified:
            return Content.styled(say(node, "tui.voices.unverified"), "$warning")
        if transfer.by_itself:
            came = say(node, "tui.voices.by_itself", count=transfer.count)
            return Content.styled(came, "bold $success")
        short = (transfer.sha256 or "")[:12]
        key = "tui.voices.verified_at_work" if transfer.at_work else "tui.voices.verified"
        return Content.styled(say(node, key, server=transfer.server, sha=short), "bold $success")
    words = say(node, _PHASES.get(transfer.phase, "tui.voices.phase_start"))
    if transfer.retries:
        words += "  " + say(node, "tui.voices.retries", count=transfer.retries)
    return Content.styled(words, "$faint")
