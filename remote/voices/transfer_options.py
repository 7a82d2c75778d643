"""How a voice or a dataset is transferred: what is told, when it ends, how fast it may be."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from sovdeck.remote.config.schema import ProjectConfig
from sovdeck.remote.transfer.core.progress import Report
from sovdeck.remote.transfer.core.tuning import Tuning, bandwidth_limit, transfer_tuning

# Called with each file that was received: its path on the server and its bytes.
OnReceived = Callable[[str, int], None]
# For downloads beside a training: two connections leave bandwidth for its events and telemetry.
BACKGROUND_TUNING = Tuning(connections=2)


@dataclass(frozen=True)
class TransferOptions:
    """How to transfer. bandwidth: limit in bytes a second, None for no limit."""

    report: Report
    cancel: threading.Event
    on_received: OnReceived = lambda path, size: None
    bandwidth: float | None = None
    tuning: Tuning = Tuning()  # noqa: RUF009 - frozen

    @classmethod
    def from_config(
        cls,
        config: ProjectConfig,
        report: Report,
        cancel: threading.Event,
        *,
        limit_mbit: float | None = None,
        background: bool = False,
    ) -> TransferOptions:
        """Take limit and connections from deploy.toml; `background`: beside a training.

        limit_mbit: the limit of the command line, which comes before deploy.toml's.
        """
        tuning = BACKGROUND_TUNING if background else transfer_tuning(config)
        return cls(report, cancel, bandwidth=bandwidth_limit(config, limit_mbit), tuning=tuning)
