"""How states are named and coloured, the same on every screen."""

from __future__ import annotations

from textual.content import Content
from textual.message_pump import MessagePump

from tui.job_words import JOB_WORDS
from tui.language import say
from tui.state.ages import Freshness, seconds_since, step_of

_JOB_LOOK = {
    "starting": ("◌", "$secondary"), "running": ("●", "$success"),
    "succeeded": ("✓", "$success"), "failed": ("✗", "$error"), "killed": ("✗", "$error"),
    "stopped": ("■", "$faint"), "preempted": ("■", "$warning"), "lost": ("✗", "$error"),
    "stale": ("◐", "$warning"), "no_op": ("!", "$warning"), "unknown": ("?", "$faint"),
}  # fmt: skip

LINK_WORDS = {
    "offline": "tui.states.offline",
    "connecting": "tui.states.connecting",
    "up": "tui.states.up",
    "auth_needed": "tui.states.auth_needed",
    "refused": "tui.states.refused",
}
_LINK_LOOK = {
    "offline": ("○", "$faint"), "connecting": ("◌", "$secondary"),
    "up": ("●", "$success"), "auth_needed": ("◆", "$warning"), "refused": ("✗", "$error"),
}  # fmt: skip

STAGE_WORDS = {
    "prepare": "tui.states.stage_prepare",
    "sovits": "tui.states.stage_sovits",
    "gpt": "tui.states.stage_gpt",
    "proof": "tui.states.stage_proof",
    "pack": "tui.states.stage_pack",
}
LEVEL_LOOK = {
    "good": ("✓", "$success"), "note": ("·", "$secondary"),
    "warning": ("▲", "$warning"), "bad": ("✗", "$error"),
}  # fmt: skip


def job_pill(node: MessagePump, state: str) -> Content:
    """A job's state: mark, colour and word, so that colour alone never carries it."""
    mark, colour = _JOB_LOOK.get(state, _JOB_LOOK["unknown"])
    word = say(node, JOB_WORDS.get(state, JOB_WORDS["unknown"]))
    return Content.styled(f"{mark} {word}", f"bold {colour}")


def link_pill(node: MessagePump, link: str, fresh: Freshness = "live") -> Content:
    mark, colour = _LINK_LOOK[link]
    if link == "up" and fresh != "live":
        mark, colour = "◐", "$warning"
    return Content.styled(f"{mark} {say(node, LINK_WORDS[link])}", colour)


def stage_name(node: MessagePump, stage: str) -> str:
    return say(node, STAGE_WORDS[stage]) if stage in STAGE_WORDS else stage


def level_mark(level: str) -> Content:
    mark, colour = LEVEL_LOOK[level]
    return Content.styled(mark, f"bold {colour}")


def tick_mark(ticked: bool) -> Content:
    return Content.styled("✓" if ticked else "·", "bold $success" if ticked else "$faint")


def age_words(node: MessagePump, at: int | None, now: int) -> str:
    """Empty while live; else how long ago it was heard."""
    age = seconds_since(at, now)
    if age is None:
        return say(node, "tui.states.never")
    step = step_of(age)
    if step == 0:
        return ""
    if step < 60:
        return say(node, "tui.states.seconds_ago", count=step)
    if step < 3600:
        return say(node, "tui.states.minutes_ago", count=step // 60)
    return say(node, "tui.states.hours_ago", count=step // 3600)
