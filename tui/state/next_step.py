"""What a person would do next with a server, from what is known of it. Pure."""

from __future__ import annotations

from sovdeck.tui.state.state import State


def next_step(state: State, server: str) -> str | None:
    """The catalogue key that names the next step and its key; None while unknown."""
    known = state.servers.get(server)
    if known is None or known.facts is None or known.connection != "up":
        return None
    if not known.facts.deployed:
        return "tui.servers.next_deploy"
    runs = state.runs_of(server)
    if any(not run.ended for run in runs):
        return "tui.servers.next_watch"
    if any(run.status == "succeeded" for run in runs):
        downloaded = any(voice.safe for voice in state.voices.get(server, ()))
        return "tui.servers.next_speak" if downloaded else "tui.servers.next_download"
    return "tui.servers.next_dataset" if state.dataset is None else "tui.servers.next_train"
