"""What the Speak and Audition rooms ask of the world; the rules are those of `protocols`."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from engine.contract.audition import AuditionCell
from tui.services.protocols import Cancel, Emit
from tui.state.speech import AuditionDraft, Loan, SpeakDraft


class Speech(Protocol):
    """One voice at a time stays loaded on a server, so that a second sentence comes at once."""

    def shelf(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        """Scan weights and reference clips anew; emit ShelfSeen."""

    def measure(self, clip: Path, emit: Emit, cancel: Cancel) -> None:
        """Read a recording of this computer; emit ClipMeasured with outline and best window."""

    def bring(self, server: str, voice: str, clip: str, emit: Emit, cancel: Cancel) -> None:
        """`fetch` a clip of the shelf and `measure` it; emit ClipMeasured with `came_from`."""

    def lend(self, server: str, voice: str, loan: Loan, emit: Emit, cancel: Cancel) -> None:
        """Send a recording of this computer as a reference, cut to its window; emit ShelfSeen."""

    def fetch(self, server: str, voice: str, clip: str, emit: Emit, cancel: Cancel) -> Path:
        """Bring a reference clip of the shelf here, once, to be heard; return its file."""

    def speak(self, draft: SpeakDraft, take: str, emit: Emit, cancel: Cancel) -> None:
        """Speak; emit TakeChanged under the id `take` at each sentence and at the end.

        The first call loads the voice. Cancelling ends the take, not the loaded voice.
        """

    def save(self, wav: Path, folder: Path) -> Path:
        """Copy a take into a folder of the person's choice, under a name that is still free."""

    def release(self, server: str) -> None:
        """Unload the voice of a server and give its memory back."""


class Auditions(Protocol):
    def render(self, draft: AuditionDraft, emit: Emit, cancel: Cancel) -> None:
        """Render a grid; emit AuditionChanged as cells arrive here and when it is ranked.

        Cancelling ends the watching; what the server renders goes on, and `recall` finds it.
        """

    def stop(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        """End the rendering of a voice on its server; the cells that are done stay."""

    def recall(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        """Emit AuditionChanged with the last audition of a voice, its sounds fetched here."""

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
        """Let the pack take this pair; emit AuditionChanged."""
