"""One line on a server's pretrained weights, and what is asked before they are fetched."""

from __future__ import annotations

from textual.content import Content
from textual.message_pump import MessagePump

from sovdeck.engine.contract.format import format_bytes, format_percent
from sovdeck.tui.shell.actions import ACTIONS_BY_ID
from sovdeck.tui.state.models import WeightsRow
from sovdeck.tui.state.state import State
from sovdeck.tui.text.i18n import translate
from sovdeck.tui.widgets.key_bar import keys_of
from sovdeck.tui.widgets.status_labels import level_mark


def weights_line(node: MessagePump, state: State, server: str, preset: str) -> Content | None:
    """Whether the server has the weights the preset starts from; None while that is not known."""
    weights = state.weights
    if weights is None or (weights.server, weights.preset) != (server, preset):
        return None
    if weights.fetching:
        text = translate(
            node,
            "tui.train.weights_fetching",
            file=weights.fetching,
            have=format_bytes(weights.have),
            share=format_percent(weights.have / weights.total if weights.total else None),
        )
        return Content.styled(text, "$secondary")
    if not weights.count:
        text = translate(node, "tui.train.weights_there", version=weights.version)
        return Content.assemble(level_mark("good"), f" {text}")
    key = keys_of(node.app, ACTIONS_BY_ID["train.fetch_weights"])[0]
    facts = {"version": weights.version, "megabytes": weights.megabytes, "press": key}
    return Content.assemble(
        level_mark("bad"), (f" {translate(node, 'tui.train.weights_missing', **facts)}", "bold")
    )


def lacking_weights(state: State, server: str, preset: str) -> WeightsRow | None:
    """The weights of the preset when the server is known to lack some; else None."""
    weights = state.weights
    if weights is None or (weights.server, weights.preset) != (server, preset):
        return None
    return weights if weights.count else None


def weights_facts(weights: WeightsRow) -> dict[str, object]:
    """The facts of the question `tui.train.fetch`."""
    return {
        "server": weights.server,
        "version": weights.version,
        "count": weights.count,
        "megabytes": weights.megabytes,
    }
