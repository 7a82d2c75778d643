"""How the controller grants the wishes of the Speak and Audition rooms."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engine.contract.catalogue import text
from engine.contract.problem import Problem
from tui.sounding import GROUP
from tui.state import wishes
from tui.state.events import (
    AuditionEnded,
    NoticeRaised,
    TakeChanged,
    TakeEnded,
    VoiceChosen,
)
from tui.state.facts import Remark
from tui.state.pair_grid import label
from tui.state.speech import Take

if TYPE_CHECKING:
    from tui.controller import Controller
    from tui.services.protocols import Cancel, Emit


def choose_voice(controller: Controller, wish: wishes.ChooseVoice) -> None:
    controller.emit(VoiceChosen(wish.server, wish.voice))


def read_shelf(controller: Controller, wish: wishes.ReadShelf) -> None:
    speech = controller.services.speech
    controller.jobs.run(
        f"shelf:{wish.server}/{wish.voice}",
        lambda emit, cancel: speech.shelf(wish.server, wish.voice, emit, cancel),
    )


def measure_clip(controller: Controller, wish: wishes.MeasureClip) -> None:
    speech = controller.services.speech
    controller.jobs.run("clip", lambda emit, cancel: speech.measure(wish.clip, emit, cancel))


def bring_clip(controller: Controller, wish: wishes.BringClip) -> None:
    speech = controller.services.speech
    controller.jobs.run(
        "clip", lambda emit, cancel: speech.bring(wish.server, wish.voice, wish.clip, emit, cancel)
    )


def lend_clip(controller: Controller, wish: wishes.LendClip) -> None:
    speech = controller.services.speech
    controller.jobs.run(
        f"lend:{wish.server}/{wish.voice}",
        lambda emit, cancel: speech.lend(wish.server, wish.voice, wish.loan, emit, cancel),
    )


def hear_reference(controller: Controller, wish: wishes.HearReference) -> None:
    speech = controller.services.speech

    def hear(emit: Emit, cancel: Cancel) -> None:
        path = speech.fetch(wish.server, wish.voice, wish.clip, emit, cancel)
        controller.sound.until_end(path, emit, cancel)

    controller.jobs.run(GROUP, hear)


def speak(controller: Controller, wish: wishes.Speak) -> None:
    """One take at a time on a server: a second press while one sounds asks for nothing."""
    speech, draft = controller.services.speech, wish.draft
    group = f"speak:{draft.server}"
    if controller.jobs.busy(group):
        return
    take = Take(controller.next_take(), draft, controller.services.now())

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

    controller.jobs.run(group, work)


def cancel_take(controller: Controller, wish: wishes.CancelTake) -> None:
    controller.jobs.cancel(f"speak:{wish.server}")


def save_take(controller: Controller, wish: wishes.SaveTake) -> None:
    speech = controller.services.speech

    def save(emit: Emit, cancel: Cancel) -> None:
        path = speech.save(wish.wav, wish.folder)
        words = text("tui.notices.take_saved", path=path)
        emit(NoticeRaised("good", words, controller.services.now()))

    controller.jobs.run(f"save:{wish.wav}", save)


def recall_audition(controller: Controller, wish: wishes.RecallAudition) -> None:
    group = f"audition:{wish.server}/{wish.voice}"
    auditions = controller.services.auditions
    if not controller.jobs.busy(group):  # a grid at work tells more than the last one
        controller.jobs.run(
            group, lambda emit, cancel: auditions.recall(wish.server, wish.voice, emit, cancel)
        )


def render_audition(controller: Controller, wish: wishes.RenderAudition) -> None:
    auditions, draft = controller.services.auditions, wish.draft

    def work(emit: Emit, cancel: Cancel) -> None:
        try:
            auditions.render(draft, emit, cancel)
        finally:
            emit(AuditionEnded(draft.server, draft.voice))

    controller.jobs.run(f"audition:{draft.server}/{draft.voice}", work)


def cancel_audition(controller: Controller, wish: wishes.CancelAudition) -> None:
    auditions = controller.services.auditions
    controller.jobs.run(
        f"stop-audition:{wish.server}/{wish.voice}",
        lambda emit, cancel: auditions.stop(wish.server, wish.voice, emit, cancel),
    )


def cast_vote(controller: Controller, wish: wishes.CastVote) -> None:
    auditions = controller.services.auditions
    controller.jobs.run(
        f"vote:{wish.better}/{wish.worse}",
        lambda emit, cancel: auditions.vote(
            wish.server, wish.voice, wish.better, wish.worse, emit, cancel
        ),
    )


def choose_pair(controller: Controller, wish: wishes.ChoosePair) -> None:
    auditions = controller.services.auditions

    def choose(emit: Emit, cancel: Cancel) -> None:
        auditions.choose(wish.server, wish.voice, wish.gpt, wish.sovits, emit, cancel)
        words = text(
            "tui.notices.pair_chosen", voice=wish.voice, gpt=label(wish.gpt),
            sovits=label(wish.sovits),
        )  # fmt: skip
        emit(NoticeRaised("good", words, controller.services.now()))

    controller.jobs.run(f"choose:{wish.server}/{wish.voice}", choose)


SPEECH_GRANTS: dict[type, Callable[[Any, Any], None]] = {
    wishes.ChooseVoice: choose_voice,
    wishes.ReadShelf: read_shelf,
    wishes.MeasureClip: measure_clip,
    wishes.BringClip: bring_clip,
    wishes.LendClip: lend_clip,
    wishes.HearReference: hear_reference,
    wishes.Speak: speak,
    wishes.CancelTake: cancel_take,
    wishes.SaveTake: save_take,
    wishes.RecallAudition: recall_audition,
    wishes.RenderAudition: render_audition,
    wishes.CancelAudition: cancel_audition,
    wishes.CastVote: cast_vote,
    wishes.ChoosePair: choose_pair,
}
