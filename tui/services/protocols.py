"""What the dashboard asks of the world. No Textual here; calls block and run in threads.

Rules for whoever implements these:

* A call blocks until it is done or `cancel` is set, and looks at `cancel` between chunks.
* What happens on the way is told through `emit` (thread-safe); results that screens show are
  events too, so a call that returns None has told everything it knows.
* An expected failure is a `Problem`; the dashboard shows its sentence and hint.
* `watch` calls reconnect by themselves with back-off and end only when `cancel` is set or the
  thing they watch has ended. Every event carries the time it was heard, Unix milliseconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from engine.contract.dataset.edits import Edit
from tui.state.events import StoreEvent
from tui.state.work import TrainDraft

Emit = Callable[[StoreEvent], None]
Cancel = threading.Event


@dataclass(frozen=True)
class ParsedLine:
    """What a pasted ssh line means, to be read back to the person before anything is dialled."""

    name: str
    address: str
    user: str
    host: str
    port: int
    identity: tuple[str, ...] = ()
    jump: tuple[str, ...] = ()
    profile: str = ""


@dataclass(frozen=True)
class ServerDraft:
    """A server to be saved: the pasted line, a name, and what an hour costs."""

    line: str
    name: str
    price_per_hour: float | None = None
    currency: str = ""


@dataclass(frozen=True)
class HostKeyQuestion:
    """A host key nobody has vouched for. `known_since` is set when another key stood before."""

    server: str
    address: str
    key_type: str
    fingerprint: str
    known_since: str | None = None


@dataclass(frozen=True)
class SecretQuestion:
    """A password or a passphrase is needed; `prompt` is the server's own wording."""

    server: str
    address: str
    prompt: str


@dataclass(frozen=True)
class OfferQuestion:
    """After a log-in by password, what would spare the next one: a key of ours, or the keyring."""

    server: str
    offer: Literal["key", "keyring"]


class Asks(Protocol):
    """Questions a service may ask while it works; they block its thread until answered."""

    def host_key(self, question: HostKeyQuestion) -> bool: ...

    def secret(self, question: SecretQuestion) -> str | None: ...

    def agrees(self, question: OfferQuestion) -> bool: ...


class Servers(Protocol):
    """The saved list, and one long watch a server."""

    def load(self, emit: Emit) -> None:
        """Emit ServersLoaded from disk; no network."""

    def parse(self, line: str) -> ParsedLine:
        """Read a pasted line without dialling; Problem when it cannot be read."""

    def add(self, draft: ServerDraft, asks: Asks, emit: Emit, cancel: Cancel) -> None:
        """Dial, ask for the host key, probe, save; emit ServersLoaded and FactsSeen."""

    def remove(self, server: str, emit: Emit) -> None:
        """Forget a saved server; nothing on it is touched."""

    def watch(self, server: str, asks: Asks, emit: Emit, cancel: Cancel) -> None:
        """Keep one link: LinkChanged, FactsSeen, TelemetrySeen, JobSeen for every run there."""


class Deploys(Protocol):
    def plan(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """Emit DeployPlanned: what would be done, nothing done."""

    def apply(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """Do the plan; emit DeployStepChanged as steps move."""


class Datasets(Protocol):
    def check(self, folder: Path, emit: Emit, cancel: Cancel) -> None:
        """Read a folder on this computer; emit DatasetChecking, then DatasetChecked.

        A folder that cannot be read at all is told by DatasetRefused.
        """

    def edit(self, folder: Path, edit: Edit, emit: Emit, cancel: Cancel) -> None:
        """Correct a line of the list on disk, judge the list anew; emit DatasetChecked."""

    def undo(self, folder: Path, emit: Emit, cancel: Cancel) -> None:
        """Take back the newest correction; emit DatasetChecked."""

    def outline(self, wav: Path, emit: Emit, cancel: Cancel) -> None:
        """Read one recording; emit ClipOutlined."""

    def push(self, server: str, folder: Path, emit: Emit, cancel: Cancel) -> None:
        """Upload what the server lacks; emit TransferChanged of kind push."""


class Training(Protocol):
    def plan(self, draft: TrainDraft, emit: Emit, cancel: Cancel) -> None:
        """Emit PlanMade: updates, time, memory, disk, cost and warnings of a draft."""

    def start(self, draft: TrainDraft, emit: Emit, cancel: Cancel) -> str:
        """Launch the run and return its id; emit JobSeen."""

    def stop(self, server: str, run: str, emit: Emit, cancel: Cancel) -> None:
        """Ask the run to save and stop; emit JobSeen."""

    def watch(self, server: str, run: str, emit: Emit, cancel: Cancel) -> None:
        """Stream RunEvents and LogLines by offset, and JobSeen, until the run has ended.

        Called again for the same run (it was resumed), it may begin at the first byte: what is
        known already is left out by the caller.
        """


class Voices(Protocol):
    def refresh(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """List the voices of a server; emit VoicesSeen."""

    def pull(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        """Pack, download, verify, unpack; emit TransferChanged of kind pull and VoicesSeen."""


class Practice(Protocol):
    def start(self, emit: Emit, cancel: Cancel) -> None:
        """Start a server on this computer and train a tiny voice there; emit RunChosen.

        The saved list is replaced by that one server until the dashboard is left.
        """


class Player(Protocol):
    """Sound on this computer, one file at a time."""

    @property
    def playing(self) -> Path | None:
        """The file that sounds now."""

    def play(self, path: Path) -> None:
        """Play `path` instead of what plays; returns when it sounds; Problem when nothing can."""

    def stop(self) -> None:
        """Silence; no effect when nothing plays."""
