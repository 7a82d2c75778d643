"""What is being done: jobs, deploys, datasets, plans, voices, transfers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.dataset.check import CheckedDataset
from sovdeck.engine.contract.dataset.edits import LineEdit
from sovdeck.engine.contract.dataset.items import DatasetItem
from sovdeck.engine.contract.dataset.report import DatasetQualityReport
from sovdeck.engine.contract.plan import PlanDevice, RunPlan
from sovdeck.remote.jobs.state import JobStateName
from sovdeck.tui.state.server_models import Remark
from sovdeck.tui.text.run_labels import GOOD_END_STATES, JOB_STATE_KEYS

DeployStepState = Literal["waiting", "running", "done", "skipped", "failed"]
TransferState = Literal["running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class JobStatus:
    """What the supervisor reports about one run; `server` and `run` name it."""

    server: str
    run: str
    state: JobStateName
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
        """Whether the run ended as wanted."""
        return self.state in GOOD_END_STATES

    def message(self) -> Text:
        """A sentence about the end, in both languages."""
        state = text(JOB_STATE_KEYS.get(self.state, JOB_STATE_KEYS["unknown"]))
        return text("tui.notices.run_ended", voice=self.voice, server=self.server, state=state)


@dataclass(frozen=True)
class DeployStepRow:
    """One line of a deploy plan and how far it got."""

    id: str
    title: Text
    state: DeployStepState = "waiting"
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
    checked: CheckedDataset
    quality: DatasetQualityReport
    lines: Mapping[int, str] = field(default_factory=dict)
    dropped: Mapping[int, DatasetItem] = field(default_factory=dict)
    edits: tuple[LineEdit, ...] = ()

    @property
    def missing(self) -> int:
        """How many lines name a recording that was not found."""
        return sum(one.key == "engine.data.missing" for one in self.quality.problems)


@dataclass(frozen=True)
class BareRecordingsRow:
    """Recordings without a list: `source` is their folder, or one long file."""

    source: str
    count: int
    bytes: int


TranscriptionPhase = Literal["model", "send", "transcribe"]


@dataclass(frozen=True)
class TranscriptionRow:
    """Recordings that a server cuts and writes down; `text` is the newest clip's.

    In the phase "model" it fetches the recogniser, of which `have` of `total` bytes are there.
    """

    server: str
    voice: str
    phase: TranscriptionPhase = "send"
    done: int = 0
    recordings: int = 0
    clips: int = 0
    text: str = ""
    have: int = 0
    total: int | None = None


@dataclass(frozen=True)
class TrainDraft:
    """A run as the form has it: only parameters that differ from the table's defaults."""

    server: str
    voice: str
    preset: str = "auto"
    params: Mapping[str, Any] = field(default_factory=dict)
    queue: bool = False  # start on the server once the runs before it have ended
    run: str = ""  # an earlier run to go on with, as it was started


@dataclass(frozen=True)
class WeightsRow:
    """A preset's pretrained weights on a server: `count` files of `megabytes` are missing.

    `fetching` is the file that comes now, of which `have` of `total` bytes are there.
    """

    server: str
    preset: str
    version: str
    count: int
    megabytes: int
    fetching: str = ""
    have: int = 0
    total: int | None = None


@dataclass(frozen=True)
class TrainPlan:
    """What a draft would do, and the device it was planned for."""

    run: RunPlan
    device: PlanDevice

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What keeps the run from starting, then what does not."""
        refusals = (Remark("bad", one.message, one.hint) for one in self.run.refusals)
        warnings = (Remark("warning", one.message, one.hint) for one in self.run.warnings)
        return (*refusals, *warnings)


@dataclass(frozen=True)
class CheckpointRow:
    """One small weight file on the server."""

    path: str
    stage: str
    epoch: int
    bytes: int
    step: int | None = None
    version: str = "v2"


@dataclass(frozen=True)
class Voice:
    """A trained voice on a server; `local_folder` is the folder of its verified copy here."""

    server: str
    name: str
    checkpoints: tuple[CheckpointRow, ...] = ()
    pack: str | None = None
    pack_bytes: int | None = None
    local_folder: str | None = None
    safe: bool = False

    @property
    def key(self) -> str:
        """The voice's key in the state: `server/name`."""
        return f"{self.server}/{self.name}"


@dataclass(frozen=True)
class Transfer:
    """One upload or download. `verified` is None until both checksums were compared.

    automatic: nobody asked for it now; deploy.toml did. count: files that came with it.
    server_busy: a run goes on there, so the server is not safe to switch off.
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
    automatic: bool = False
    count: int = 0
    server_busy: bool = False
