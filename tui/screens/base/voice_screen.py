"""The base of screens about voices: their list is refreshed, one voice is chosen."""

from __future__ import annotations

from sovdeck.tui.screens.base.screen import AppScreen
from sovdeck.tui.state import commands
from sovdeck.tui.state.models import Voice
from sovdeck.tui.state.speech_models import AuditionState, VoiceAssetsState
from sovdeck.tui.state.state import State
from sovdeck.tui.widgets.empty_state import EmptyState


class VoiceRefreshScreen(AppScreen):
    """Lists the voices of each connected server once, and again after a run saved or ended."""

    def __init__(self) -> None:
        super().__init__()
        self._requested_saves: dict[str, int] = {}  # saved epochs of active runs, by server

    def on_screen_resume(self) -> None:
        # No call of super: Textual calls the handlers of all base classes.
        self._requested_saves.clear()

    def request_voices(self, state: State) -> None:
        """Ask each connected server for its voices, where its runs saved something since."""
        for name, server in state.servers.items():
            active = [run for run in state.runs_of(name) if not run.ended]
            saves = sum(len(run.saved_losses.by_path) for run in active)
            if server.connection == "up" and self._requested_saves.get(name) != saves:
                if name in self._requested_saves:
                    self.handle_run_saved(name)
                self._requested_saves[name] = saves
                self.post_command(commands.RefreshVoices(name))

    def handle_run_saved(self, server: str) -> None:
        """A run on this server has saved something since the last request, or has ended."""

    def show_empty_reason(self, empty: EmptyState, state: State, default_key: str) -> None:
        """Say that a voice is being trained, else the text of `default_key`."""
        active = next((run for run in state.runs.values() if run.voice and not run.ended), None)
        if active is None:
            empty.show(default_key)
        else:
            empty.show("tui.voices.coming", voice=active.voice)


class VoiceScreen(VoiceRefreshScreen):
    """A screen about one voice."""

    @property
    def voice(self) -> Voice | None:
        """The chosen voice, else one of the chosen server, else the first that is known."""
        state = self.base_app.state
        voices = state.all_voices()
        for voice in voices:
            if (voice.server, voice.name) == state.voice:
                return voice
        here = [voice for voice in voices if voice.server == state.server]
        return next(iter((*here, *voices)), None)

    @property
    def voice_assets(self) -> VoiceAssetsState | None:
        """Weights and reference clips of the voice; None until they were listed."""
        voice = self.voice
        return self.base_app.state.voice_assets.get(voice.key) if voice is not None else None

    @property
    def audition(self) -> AuditionState | None:
        """The last audition of the voice; None when there is none."""
        voice = self.voice
        return self.base_app.state.auditions.get(voice.key) if voice is not None else None

    def handle_run_saved(self, server: str) -> None:
        """List the weights anew when the run was on the server of this voice."""
        voice = self.voice
        if voice is not None and voice.server == server and self.voice_assets is not None:
            self.post_command(commands.ReadVoiceAssets(voice.server, voice.name))

    def on_screen_resume(self) -> None:
        """List the weights anew: a run may have saved an epoch meanwhile."""
        voice = self.voice
        if voice is not None and self.voice_assets is not None:
            self.post_command(commands.ReadVoiceAssets(voice.server, voice.name))

    def action_next_voice(self, by: int) -> None:
        voices = self.base_app.state.all_voices()
        voice = self.voice
        if voice is not None and len(voices) > 1:
            after = voices[(voices.index(voice) + by) % len(voices)]
            self.post_command(commands.ChooseVoice(after.server, after.name))
