"""Catalogue keys for the states of a run, on screens and in messages."""

from __future__ import annotations

JOB_STATE_KEYS = {
    "starting": "tui.states.starting",
    "running": "tui.states.running",
    "succeeded": "tui.states.succeeded",
    "failed": "tui.states.failed",
    "killed": "tui.states.killed",
    "stopped": "tui.states.stopped",
    "preempted": "tui.states.preempted",
    "lost": "tui.states.lost",
    "stale": "tui.states.stale",
    "no_op": "tui.states.no_op",
    "unknown": "tui.states.unknown",
}
GOOD_END_STATES = ("succeeded", "stopped")
