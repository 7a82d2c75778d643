"""What the dashboard asks of the world. No Textual here; calls block and run in threads.

Rules for whoever implements these:

* A call blocks until it is done or `cancel` is set, and checks `cancel` between chunks.
* What happens on the way is sent through `emit` (thread-safe); results that screens show are
  events too, so a call that returns None has emitted everything it knows.
* An expected failure is a `Problem`; the dashboard shows its sentence and hint.
* `watch` calls reconnect by themselves with back-off and end only when `cancel` is set or the
  thing they watch has ended. Every event carries the time it was received, Unix milliseconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from sovdeck.engine.contract.audition import AuditionCell
from sovdeck.engine.contract.dataset.edits import LineEdit
from sovdeck.tui.state.events import StoreEvent
from sovdeck.tui.state.models import TrainDraft
from sovdeck.tui.state.prompts import HostKeyPrompt, OfferPrompt, SecretPrompt
from sovdeck.tui.state.rent_models import EndChoice
from sovdeck.tui.state.server_models import ParsedSSHLine, ServerDraft
from sovdeck.tui.state.speech_models import (
    AuditionDraft,
    DoubtfulRow,
    ReadingRequest,
    ReferenceUpload,
    SpeakDraft,
)

Emit = Callable[[StoreEvent], None]
Cancel = threading.Event


class Prompts(Protocol):
    """Prompts a service may show while it works; they block its thread until answered."""

    def confirm_host_key(self, prompt: HostKeyPrompt) -> bool:
        """Whether the person trusts the host key."""

    def ask_secret(self, prompt: SecretPrompt) -> str | None:
        """The password or passphrase the person typed; None when refused."""

    def accept_offer(self, prompt: OfferPrompt) -> bool:
        """Whether the person accepts the offer."""


class Servers(Protocol):
    """The saved list, and one long watch a server."""

    def load(self, emit: Emit) -> None:
        """Emit ServersLoaded from disk; no network."""

    def parse(self, line: str) -> ParsedSSHLine:
        """Read a pasted line without dialling; Problem when it cannot be read."""

    def add(self, draft: ServerDraft, prompts: Prompts, emit: Emit, cancel: Cancel) -> None:
        """Dial, ask for the host key, probe, save; emit ServersLoaded and FactsSeen."""

    def remove(self, server: str, emit: Emit) -> None:
        """Forget a saved server; nothing on it is touched."""

    def watch(self, server: str, prompts: Prompts, emit: Emit, cancel: Cancel) -> None:
        """Keep one connection and emit its changes, until cancelled.

        ConnectionChanged, FactsSeen, TelemetrySeen, and JobSeen for every run there.
        """


class Deploys(Protocol):
    """Installs the engine on a server."""

    def plan(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """Emit DeployPlanned: what would be done, nothing done."""

    def apply(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """Do the plan; emit DeployStepChanged as steps move."""

    def read_weights(self, server: str, preset: str, emit: Emit, cancel: Cancel) -> None:
        """Emit WeightsSeen: what the preset's pretrained weights lack there."""

    def fetch_weights(self, server: str, preset: str, emit: Emit, cancel: Cancel) -> None:
        """Let the server fetch what lacks; emit WeightsSeen as it goes."""


class Disks(Protocol):
    """What lies on a server's disk, and removing it."""

    def list_items(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """Emit DiskSeen."""

    def remove(
        self, server: str, paths: Sequence[str], named: Sequence[str], emit: Emit, cancel: Cancel
    ) -> None:
        """Remove what was listed last and is among `paths`; emit NoticeRaised and DiskSeen.

        An only copy goes when its path is in `named`. Problem when a run was started since.
        """


class Datasets(Protocol):
    """Checks, corrects and uploads a dataset of this computer."""

    def check(self, folder: Path, wavs: Path | None, emit: Emit, cancel: Cancel) -> None:
        """Read a folder on this computer; emit DatasetChecking, then DatasetChecked.

        `wavs` is where its recordings are, when they lie elsewhere. BareRecordingsFound where there
        is no list, DatasetUnreadable where it cannot be read at all.
        """

    def convert(self, folder: Path, emit: Emit, cancel: Cancel) -> None:
        """Rewrite the folder's list as UTF-8 and check it."""

    def transcribe(self, server: str, source: Path, voice: str, emit: Emit, cancel: Cancel) -> None:
        """Let a server write recordings down; emit TranscriptionChanged, then DatasetChecked.

        A recogniser that the server lacks is fetched there first.
        """

    def edit(self, folder: Path, edit: LineEdit, emit: Emit, cancel: Cancel) -> None:
        """Correct a line of the list on disk and check the list anew; emit DatasetChecked."""

    def undo(self, folder: Path, emit: Emit, cancel: Cancel) -> None:
        """Take back the newest correction; emit DatasetChecked."""

    def read_waveform(self, wav: Path, emit: Emit, cancel: Cancel) -> None:
        """Read one recording; emit WaveformRead."""

    def push(self, server: str, folder: Path, emit: Emit, cancel: Cancel) -> None:
        """Upload what the server lacks; emit TransferChanged of kind push."""


class Training(Protocol):
    """Plans, starts, stops and follows training runs."""

    def list_datasets(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """Emit DatasetsSeen; nothing where nothing is deployed."""

    def plan(self, draft: TrainDraft, emit: Emit, cancel: Cancel) -> None:
        """Emit PlanMade: updates, time, memory, disk, cost and warnings of a draft."""

    def start(self, draft: TrainDraft, emit: Emit, cancel: Cancel) -> str:
        """Launch the run and return its id; emit JobSeen."""

    def stop(self, server: str, run: str, emit: Emit, cancel: Cancel) -> None:
        """Ask the run to save and stop; emit JobSeen."""

    def watch(self, server: str, run: str, emit: Emit, cancel: Cancel) -> None:
        """Emit RunSummarySeen, then RunEvents and LogLines by offset until the run has ended.

        Called again for the same run (it was resumed), it may begin at the first byte: the caller
        drops the events it has already.
        """


class Voices(Protocol):
    """Lists and downloads trained voices."""

    def refresh(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """List the voices of a server; emit VoicesSeen."""

    def pull(
        self, server: str, voice: str, emit: Emit, cancel: Cancel, *, community: bool = False
    ) -> None:
        """Pack, download, verify, unpack; emit TransferChanged of kind pull and VoicesSeen.

        community: also write it as programs of the community keep a voice; the transfer's path is
        that folder then.
        """


class Rentals(Protocol):
    """Rents servers for voices, and ends them."""

    def list_offers(self, voice: str, folder: str, emit: Emit, cancel: Cancel) -> None:
        """Emit OffersSeen: what the voice costs where; also when there is no voice, key or offer.

        `folder` holds the dataset that was looked at last; voice "" is the first that is known.
        """

    def keep_key(self, provider: str, key: str, emit: Emit) -> None:
        """Keep a provider's key once the provider has taken it; emit ProviderKeyAnswered."""

    def rent(
        self, offer: str, end: EndChoice, prompts: Prompts, emit: Emit, cancel: Cancel
    ) -> None:
        """Rent an offer of the last listing and follow its journey; emit JourneyChanged.

        Cancelling leaves the server as it is, with its lease.
        """

    def resume(self, name: str, prompts: Prompts, emit: Emit, cancel: Cancel) -> None:
        """Follow the journey of a lease again, from where it is; as `rent` from there on."""

    def remind(self, emit: Emit) -> None:
        """Emit a notice for each server that is rented and followed by nobody."""

    def list_leases(self, emit: Emit, cancel: Cancel) -> None:
        """Emit LeasesSeen: what is rented, and what bills without being asked for."""

    def end(
        self, name: str, action: EndChoice, emit: Emit, cancel: Cancel, *, confirmed: bool
    ) -> None:
        """Stop or destroy a server and wait until its provider confirms it; emit LeasesSeen.

        Problem when not everything is home and nobody typed its name (`confirmed`).
        """


class Practice(Protocol):
    """Tries sovdeck on this computer."""

    def start(self, emit: Emit, cancel: Cancel) -> None:
        """Start a server on this computer and train a tiny voice there; emit RunChosen.

        The saved list is replaced by that one server until the dashboard is left.
        """


class Player(Protocol):
    """Sound on this computer, one file at a time."""

    @property
    def playing(self) -> Path | None:
        """The file that is playing now."""

    def play(self, path: Path) -> None:
        """Play `path` instead of what plays; returns when sound begins.

        Problem when nothing can play it.
        """

    def stop(self) -> None:
        """Stop what plays; no effect when nothing does."""


class SoundStream(Protocol):
    """Sound on this computer that is heard while it is written: 16-bit mono samples at 32 kHz."""

    @property
    def is_over(self) -> bool:
        """Whether nothing sounds any more, or nothing could."""

    @property
    def has_played(self) -> bool:
        """Whether all has been heard, to the end."""

    def write(self, samples: bytes) -> None:
        """Play these samples after those before; returns at once."""

    def end(self) -> None:
        """Say that all samples are written."""

    def stop(self) -> None:
        """End the sound at once; from any thread."""


class Speech(Protocol):
    """Speaks with trained voices.

    One voice at a time stays loaded on a server, so that a second sentence comes at once.
    """

    def list_voice_assets(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        """List weights and reference clips anew; emit VoiceAssetsSeen."""

    def measure_clip(self, clip: Path, emit: Emit, cancel: Cancel) -> None:
        """Read a recording of this computer; emit ClipMeasured with waveform and best window."""

    def fetch_clip_to_trim(
        self, server: str, voice: str, clip: str, emit: Emit, cancel: Cancel
    ) -> None:
        """Download and measure a reference clip; emit ClipMeasured with `came_from`."""

    def upload_reference(
        self, server: str, voice: str, upload: ReferenceUpload, emit: Emit, cancel: Cancel
    ) -> None:
        """Send a recording of this computer as a reference, cut to its window.

        Emits VoiceAssetsSeen.
        """

    def name_reference(
        self, server: str, voice: str, clip: str, name: str, emit: Emit, cancel: Cancel
    ) -> None:
        """Call a reference clip of the server by a name. Emits VoiceAssetsSeen."""

    def fetch_clip(self, server: str, voice: str, clip: str, emit: Emit, cancel: Cancel) -> Path:
        """Download a reference clip, once, to be played; return its file."""

    def read_text(self, request: ReadingRequest, emit: Emit, cancel: Cancel) -> None:
        """Ask the server how it reads a text; emit TextRead, also when it cannot say."""

    def speak(
        self,
        draft: SpeakDraft,
        take: str,
        emit: Emit,
        cancel: Cancel,
        on_sound: Callable[[bytes], None] | None = None,
    ) -> None:
        """Speak; emit TakeChanged under the id `take` at each sentence and at the end.

        on_sound: gets the samples below a sentence, in order and each once. The first call loads
        the voice. Cancelling ends the take, not the loaded voice.
        """

    def save_take(self, wav: Path, folder: Path) -> Path:
        """Copy a take into a folder of the person's choice, under a name that is still free."""


class Books(Protocol):
    """Books that voices have read aloud, and the sentences to listen to."""

    def list_read(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        """List the books that the voice has read; emit ReadBooksSeen."""

    def fetch_sentence(
        self, server: str, voice: str, row: DoubtfulRow, emit: Emit, cancel: Cancel
    ) -> Path:
        """Download the sound of a doubtful sentence, to be played; return its file."""

    def revise(
        self, server: str, voice: str, row: DoubtfulRow, keep: bool, emit: Emit, cancel: Cancel
    ) -> None:
        """Have the sentence spoken once more another way, or kept as it is.

        Emits RevisionChanged at both ends, and ReadBooksSeen.
        """


class Recordings(Protocol):
    """Records references with a microphone of this computer."""

    def find(self, emit: Emit, cancel: Cancel) -> None:
        """Look for microphones; emit RecordingChanged."""

    def record(
        self, microphones: tuple[str, ...], microphone: str, emit: Emit, cancel: Cancel
    ) -> None:
        """Count down and record; emit RecordingChanged with level and result."""

    def stop(self) -> None:
        """End the recording that goes on, and keep it; no effect when none does."""


class Auditions(Protocol):
    """Renders and ranks pairs of GPT and SoVITS weights."""

    def render(self, draft: AuditionDraft, emit: Emit, cancel: Cancel) -> None:
        """Render a grid; emit AuditionChanged as cells arrive here and when it is ranked.

        Cancelling ends the following; the server goes on rendering, and `recall` finds the result.
        """

    def stop(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        """End the rendering of a voice on its server; the cells that are done stay."""

    def recall(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        """Emit AuditionChanged with the last audition of a voice, its sounds downloaded."""

    def vote(
        self,
        server: str,
        voice: str,
        better: AuditionCell,
        worse: AuditionCell,
        emit: Emit,
        cancel: Cancel,
    ) -> None:
        """Count one blind vote between two cells; emit AuditionChanged with new standings."""

    def choose(
        self, server: str, voice: str, gpt: str, sovits: str, emit: Emit, cancel: Cancel
    ) -> None:
        """Choose the pair of weights that is packed; emit AuditionChanged."""
