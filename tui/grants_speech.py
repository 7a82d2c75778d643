"""How the controller grants the wishes of the Speak and Audition rooms."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from engine.contract.catalogue import text
from engine.contract.problem import Problem
from tui.desk import Desk
from tui.services.protocols import Cancel, Emit
from tui.sounding import GROUP
from tui.state import wishes
from tui.state.events import (
    AuditionEnded,
    NoticeRaised,
    ShelfRefused,
    StoreEvent,
    TakeChanged,
    TakeEnded,
    VoiceChosen,
)
from tui.state.facts import Remark
from tui.state.pair_grid import label
from tui.state.speech import Take
from tui.state.state import State


def choose_voice(desk: Desk, wish: wishes.ChooseVoice) -> None:
    desk.emit(VoiceChosen(wish.server, wish.voice))


def read_shelf(desk: Desk, wish: wishes.ReadShelf) -> None:
    speech = desk.services.speech

    def look(emit: Emit, cancel: Cancel) -> None:
        try:
            speech.shelf(wish.server, wish.voice, emit, cancel)
        except Problem as problem:
            why = Remark("bad", problem.message, problem.hint)
            emit(ShelfRefused(wish.server, wish.voice, why))
            raise

    desk.jobs.run(_listing(wish.server, wish.voice), look)


def _listing(server: str, voice: str) -> str:
    return f"shelf:{server}/{voice}"


def measure_clip(desk: Desk, wish: wishes.MeasureClip) -> None:
    speech = desk.services.speech
    desk.jobs.run("clip", lambda emit, cancel: speech.measure(wish.clip, emit, cancel))


def bring_clip(desk: Desk, wish: wishes.BringClip) -> None:
    speech = desk.services.speech
    desk.jobs.run(
        "clip", lambda emit, cancel: speech.bring(wish.server, wish.voice, wish.clip, emit, cancel)
    )


def lend_clip(desk: Desk, wish: wishes.LendClip) -> None:
    speech = desk.services.speech
    desk.jobs.run(
        f"lend:{wish.server}/{wish.voice}",
        lambda emit, cancel: speech.lend(wish.server, wish.voice, wish.loan, emit, cancel),
    )


def hear_reference(desk: Desk, wish: wishes.HearReference) -> None:
    speech = desk.services.speech

    def hear(emit: Emit, cancel: Cancel) -> None:
        path = speech.fetch(wish.server, wish.voice, wish.clip, emit, cancel)
        desk.sound.until_end(path, emit, cancel)

    desk.jobs.run(GROUP, hear)


def speak(desk: Desk, wish: wishes.Speak) -> None:
    """One take at a time on a server: a second press while one sounds asks for nothing."""
    if not _speaks(desk, wish.draft.server) and wish.draft.server not in desk.unlisted:
        _begin(desk, Take(desk.next_take(), wish.draft, desk.services.now()))


def speak_once_listed(desk: Desk, wish: wishes.SpeakOnceListed) -> None:
    """A second press before the weights are known changes what waits: it is spoken once."""
    draft = wish.laid.draft()
    if _speaks(desk, draft.server):
        return
    now = desk.services.now()
    take = desk.unlisted.lay(wish.laid, lambda: Take(desk.next_take(), draft, now))
    if take is not None:
        desk.emit(TakeChanged(take))
    if not desk.jobs.busy(_listing(draft.server, draft.voice)):
        read_shelf(desk, wishes.ReadShelf(draft.server, draft.voice))


def speak_listed(desk: Desk, state: State, events: Iterable[StoreEvent]) -> None:
    """Begin the takes whose weights are known now; end those whose weights cannot be."""
    for take in desk.unlisted.listed(state):
        if "gpt_weight" in take.draft.params and "sovits_weight" in take.draft.params:
            _begin(desk, take)
        else:
            words = text("tui.talk.no_pair")
            desk.emit(TakeEnded(take.id, "failed", Remark("bad", words)))
            desk.emit(NoticeRaised("warning", words, desk.services.now()))
    for event in events:
        if isinstance(event, ShelfRefused):
            lost = desk.unlisted.take_back(event.server, event.voice)
            if lost is not None:
                desk.emit(TakeEnded(lost.id, "failed", event.why))


def _speaks(desk: Desk, server: str) -> bool:
    return desk.jobs.busy(f"speak:{server}")


def _begin(desk: Desk, take: Take) -> None:
    speech, draft = desk.services.speech, take.draft

    def work(emit: Emit, cancel: Cancel) -> None:
        emit(TakeChanged(take))
        why = None
        try:
            speech.speak(draft, take.id, emit, cancel)
        except Problem as problem:
            why = Remark("bad", problem.message, problem.hint)
            raise
        finally:  # no effect on a take that has come to its own end
            emit(TakeEnded(take.id, "cancelled" if cancel.is_set() else "failed", why))

    desk.jobs.run(f"speak:{draft.server}", work)


def cancel_take(desk: Desk, wish: wishes.CancelTake) -> None:
    waiting = desk.unlisted.take_back(wish.server)
    if waiting is not None:
        desk.emit(TakeEnded(waiting.id, "cancelled"))
    desk.jobs.cancel(f"speak:{wish.server}")


def save_take(desk: Desk, wish: wishes.SaveTake) -> None:
    speech = desk.services.speech

    def save(emit: Emit, cancel: Cancel) -> None:
        path = speech.save(wish.wav, wish.folder)
        words = text("tui.notices.take_saved", path=path)
        emit(NoticeRaised("good", words, desk.services.now()))

    desk.jobs.run(f"save:{wish.wav}", save)


def recall_audition(desk: Desk, wish: wishes.RecallAudition) -> None:
    group = f"audition:{wish.server}/{wish.voice}"
    auditions = desk.services.auditions
    if not desk.jobs.busy(group):  # a grid at work tells more than the last one
        desk.jobs.run(
            group, lambda emit, cancel: auditions.recall(wish.server, wish.voice, emit, cancel)
        )


def render_audition(desk: Desk, wish: wishes.RenderAudition) -> None:
    auditions, draft = desk.services.auditions, wish.draft

    def work(emit: Emit, cancel: Cancel) -> None:
        try:
            auditions.render(draft, emit, cancel)
        finally:
            emit(AuditionEnded(draft.server, draft.voice))

    desk.jobs.run(f"audition:{draft.server}/{draft.voice}", work)


def cancel_audition(desk: Desk, wish: wishes.CancelAudition) -> None:
    auditions = desk.services.auditions
    desk.jobs.run(
        f"stop-audition:{wish.server}/{wish.voice}",
        lambda emit, cancel: auditions.stop(wish.server, wish.voice, emit, cancel),
    )


def cast_vote(desk: Desk, wish: wishes.CastVote) -> None:
    auditions = desk.services.auditions
    desk.jobs.run(
        f"vote:{wish.better.name}/{wish.worse.name}",
        lambda emit, cancel: auditions.vote(
            wish.server, wish.voice, wish.better, wish.worse, emit, cancel
        ),
    )


def choose_pair(desk: Desk, wish: wishes.ChoosePair) -> None:
    auditions = desk.services.auditions

    def choose(emit: Emit, cancel: Cancel) -> None:
        auditions.choose(wish.server, wish.voice, wish.gpt, wish.sovits, emit, cancel)
        words = text(
            "tui.notices.pair_chosen", voice=wish.voice, gpt=label(wish.gpt),
            sovits=label(wish.sovits),
        )  # fmt: skip
        emit(NoticeRaised("good", words, desk.services.now()))

    desk.jobs.run(f"choose:{wish.server}/{wish.voice}", choose)


SPEECH_GRANTS: dict[type, Callable[[Any, Any], None]] = {
    wishes.ChooseVoice: choose_voice,
    wishes.ReadShelf: read_shelf,
    wishes.MeasureClip: measure_clip,
    wishes.BringClip: bring_clip,
    wishes.LendClip: lend_clip,
    wishes.HearReference: hear_reference,
    wishes.Speak: speak,
    wishes.SpeakOnceListed: speak_once_listed,
    wishes.CancelTake: cancel_take,
    wishes.SaveTake: save_take,
    wishes.RecallAudition: recall_audition,
    wishes.RenderAudition: render_audition,
    wishes.CancelAudition: cancel_audition,
    wishes.CastVote: cast_vote,
    wishes.ChoosePair: choose_pair,
}
