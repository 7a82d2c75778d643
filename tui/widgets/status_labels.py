"""Labels and colours of states, the same on every screen."""

from __future__ import annotations

from textual.content import Content
from textual.message_pump import MessagePump

from sovdeck.tui.state.freshness import Freshness, displayed_age, seconds_since
from sovdeck.tui.text.i18n import translate
from sovdeck.tui.text.run_labels import JOB_STATE_KEYS

_JOB_STYLES = {
    "starting": ("◌", "$secondary"),
    "running": ("●", "$success"),
    "succeeded": ("✓", "$success"),
    "failed": ("✗", "$error"),
    "killed": ("✗", "$error"),
    "stopped": ("■", "$faint"),
    "preempted": ("■", "$warning"),
    "lost": ("✗", "$error"),
    "stale": ("◐", "$warning"),
    "no_op": ("!", "$warning"),
    "unknown": ("?", "$faint"),
}

CONNECTION_TEXT_KEYS = {
    "offline": "tui.states.offline",
    "connecting": "tui.states.connecting",
    "up": "tui.states.up",
    "auth_needed": "tui.states.auth_needed",
    "refused": "tui.states.refused",
}
_CONNECTION_STYLES = {
    "offline": ("○", "$faint"),
    "connecting": ("◌", "$secondary"),
    "up": ("●", "$success"),
    "auth_needed": ("◆", "$warning"),
    "refused": ("✗", "$error"),
}

STAGE_TEXT_KEYS = {
    "prepare": "tui.states.stage_prepare",
    "sovits": "tui.states.stage_sovits",
    "gpt": "tui.states.stage_gpt",
    "proof": "tui.states.stage_proof",
    "pack": "tui.states.stage_pack",
}
LEVEL_STYLES = {
    "good": ("✓", "$success"),
    "note": ("·", "$secondary"),
    "warning": ("▲", "$warning"),
    "bad": ("✗", "$error"),
}


def job_pill(node: MessagePump, state: str) -> Content:
    """A job's state as mark, colour and word, so that colour alone never carries it."""
    mark, colour = _JOB_STYLES.get(state, _JOB_STYLES["unknown"])
    word = translate(node, JOB_STATE_KEYS.get(state, JOB_STATE_KEYS["unknown"]))
    return Content.styled(f"{mark} {word}", f"bold {colour}")


def connection_pill(node: MessagePump, connection: str, fresh: Freshness = "live") -> Content:
    """A connection's state; an open one whose data is old is marked as such."""
    mark, colour = _CONNECTION_STYLES[connection]
    if connection == "up" and fresh != "live":
        mark, colour = "◐", "$warning"
    return Content.styled(f"{mark} {translate(node, CONNECTION_TEXT_KEYS[connection])}", colour)


def stage_name(node: MessagePump, stage: str) -> str:
    """The name of a stage in the app's language."""
    return translate(node, STAGE_TEXT_KEYS[stage]) if stage in STAGE_TEXT_KEYS else stage


def level_mark(level: str) -> Content:
    """The coloured mark of a remark's level: good, note, warning or bad."""
    mark, colour = LEVEL_STYLES[level]
    return Content.styled(mark, f"bold {colour}")


def tick_mark(ticked: bool) -> Content:
    """A tick, or a dot where there is none."""
    return Content.styled("✓" if ticked else "·", "bold $success" if ticked else "$faint")


def age_text(node: MessagePump, at: int | None, now: int) -> str:
    """How long ago something was received; empty while it is fresh."""
    age = seconds_since(at, now)
    if age is None:
        return translate(node, "tui.states.never")
    step = displayed_age(age)
    if step == 0:
        return ""
    if step < 60:
        return translate(node, "tui.states.seconds_ago", count=step)
    if step < 3600:
        return translate(node, "tui.states.minutes_ago", count=step // 60)
    return translate(node, "tui.states.hours_ago", count=step // 3600)
