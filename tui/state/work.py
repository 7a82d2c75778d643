"""What is being done: jobs, deploys, datasets, plans, voices, transfers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.contract.catalogue import Text, text
from engine.contract.dataset.check import Checked
from engine.contract.dataset.edits import Edit
from engine.contract.dataset.items import Item
from engine.contract.dataset.report import Report
from tui.job_words import GOOD_ENDS, JOB_WORDS
from tui.state.facts import Remark

JobState = Literal[
    "starting", "running", "succeeded", "failed", "killed", "stopped",
    "preempted", "lost", "stale", "no_op", "unknown",
]  # fmt: skip
StepState = Literal["waiting", "running", "done", "skipped", "failed"]
TransferState = Literal["running", "done", "failed", "cancelled"]

# A job that is in none of these may still write.
ENDED: frozenset[str] = frozenset(
    {"succeeded", "failed", "killed", "stopped", "preempted", "lost", "no_op"}
)


@dataclass(frozen=True)
class JobStatus:
    """The supervisor's word about one run; `server` and `run` name it."""

    server: str
    run: str
    state: JobState
    voice: str = ""
    exit_code: int | None = None
    started: int | None = None
    detail: Text | None = None


@dataclass(frozen=True)
class RunEnd:
    """A run that somebody followed to its end."""

    server: str
    run: str
    voice: str
    state: str
    exit_code: int | None = None

    @property
    def good(self) -> bool:
        return self.state in GOOD_ENDS

    def words(self) -> Text:
        state = text(JOB_WORDS.get(self.state, JOB_WORDS["unknown"]))
        return text("tui.notices.run_ended", voice=self.voice, server=self.server, state=state)


@dataclass(frozen=True)
class DeployStep:
    """One line of a deploy plan and how far it got."""

    id: str
    title: Text
    state: StepState = "waiting"
    detail: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class DatasetReport:
    """A dataset on this computer after its check.

    `lines` holds every line of the list as read, by number; `dropped` the items that were read
    but whose recording cannot be trained on; `edits` what was corrected here, oldest first.
    """

    folder: str
    list_file: str
    voice: str
    bytes: int
    checked: Checked
    worth: Report
    lines: Mapping[int, str] = field(default_factory=dict)
    dropped: Mapping[int, Item] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True)
class TrainDraft:
    """A run as the form has it: only parameters that differ from the table's defaults."""

    server: str
    voice: str
    preset: str = "v2"
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StagePlan:
    """One stage of a plan. `seconds` is None until something was measured."""

    name: str
    epochs: int
    batch: int
    updates_per_epoch: int
    seconds: float | None = None

    @property
    def updates(self) -> int:
        return self.epochs * self.updates_per_epoch


@dataclass(frozen=True)
class TrainPlan:
    """What a draft would do; bytes, seconds, money in `currency`."""

    clips: int
    stages: tuple[StagePlan, ...]
    seconds: float | None = None
    cost: float | None = None
    currency: str = ""
    memory: int | None = None
    memory_total: int | None = None
    disk: int | None = None
    disk_free: int | None = None
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class Checkpoint:
    """One small weight file on the server."""

    path: str
    stage: str
    epoch: int
    bytes: int
    step: int | None = None


@dataclass(frozen=True)
class Voice:
    """A trained voice on a server; `home` is the folder of its verified copy here."""

    server: str
    name: str
    checkpoints: tuple[Checkpoint, ...] = ()
    pack: str | None = None
    pack_bytes: int | None = None
    home: str | None = None
    safe: bool = False

    @property
    def key(self) -> str:
        return f"{self.server}/{self.name}"


@dataclass(frozen=True)
class Transfer:
    """One upload or download. `verified` is None until both checksums were compared.

    by_itself: nobody asked for it now; deploy.toml did. count: files that came with it.
    at_work: a run goes on there, so the server is not safe to switch off.
    """

    id: str
    kind: Literal["push", "pull"]
    server: str
    voice: str
    state: TransferState = "running"
    phase: str = ""
    done: int = 0
    total: int | None = None
    bytes_per_second: float | None = None
    eta_s: float | None = None
    retries: int = 0
    verified: bool | None = None
    path: str | None = None
    sha256: str | None = None
    why: Remark | None = None
    by_itself: bool = False
    count: int = 0
    at_work: bool = False
