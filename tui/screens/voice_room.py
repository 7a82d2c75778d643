"""What the rooms about one voice share: which voice it is, and how to go to another."""

from __future__ import annotations

from tui.screens.deck_screen import DeckScreen
from tui.state import wishes
from tui.state.speech import Audition, Shelf
from tui.state.state import State
from tui.state.work import Voice
from tui.widgets.empty_state import EmptyState


class VoiceSeeker(DeckScreen):
    """Looks once at every server whose link is up; again each time the screen is opened, and
    when a run there has saved something or has ended.
    """

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[str, int] = {}  # by server, what its runs at work had saved by then

    def on_screen_resume(self) -> None:
        # No call of super: Textual itself calls the handler of every base class.
        self._asked.clear()

    def seek_voices(self, state: State) -> None:
        for name, server in state.servers.items():
            at_work = [run for run in state.runs_of(name) if not run.ended]
            saves = sum(len(run.saved.at) for run in at_work)
            if server.link == "up" and self._asked.get(name) != saves:
                if name in self._asked:
                    self.saved(name)
                self._asked[name] = saves
                self.ask(wishes.RefreshVoices(name))

    def saved(self, server: str) -> None:
        """A run there has saved something since this room asked, or has ended."""

    def say_why_none(self, empty: EmptyState, state: State, otherwise: str) -> None:
        """A voice that trains right now is on its way; else the words for there being none."""
        coming = next((run for run in state.runs.values() if run.voice and not run.ended), None)
        if coming is None:
            empty.show(otherwise)
        else:
            empty.show("tui.voices.coming", voice=coming.voice)


class VoiceRoom(VoiceSeeker):
    """`voice` is the chosen one, else one of the chosen server, else the first that is known."""

    @property
    def voice(self) -> Voice | None:
        state = self.deck.state
        voices = state.all_voices()
        for voice in voices:
            if (voice.server, voice.name) == state.voice:
                return voice
        here = [voice for voice in voices if voice.server == state.server]
        return next(iter((*here, *voices)), None)

    @property
    def shelf(self) -> Shelf | None:
        voice = self.voice
        return self.deck.state.shelves.get(voice.key) if voice is not None else None

    @property
    def audition(self) -> Audition | None:
        voice = self.voice
        return self.deck.state.auditions.get(voice.key) if voice is not None else None

    def saved(self, server: str) -> None:
        voice = self.voice
        if voice is not None and voice.server == server and self.shelf is not None:
            self.ask(wishes.ReadShelf(voice.server, voice.name))

    def on_screen_resume(self) -> None:
        """A run may have saved an epoch since the room was last seen."""
        voice = self.voice
        if voice is not None and self.shelf is not None:
            self.ask(wishes.ReadShelf(voice.server, voice.name))

    def action_next_voice(self, by: int) -> None:
        voices = self.deck.state.all_voices()
        voice = self.voice
        if voice is not None and len(voices) > 1:
            after = voices[(voices.index(voice) + by) % len(voices)]
            self.ask(wishes.ChooseVoice(after.server, after.name))
