"""Servers for real: the address book, and one long watch a server over its studio's link."""

from __future__ import annotations

import threading
from dataclasses import replace

from engine.contract.problem import ExitCode, Problem
from remote import job
from remote.config import book
from remote.hostspec import HostSpec
from remote.link import Link, LinkLost
from remote.pool import State, Status, pause
from remote.registration import free_name, register
from remote.ssh_config import resolve
from remote.studio import Studio, is_training
from remote.telemetry import Sample, Watch
from tui.services.protocols import Asks, Cancel, Emit, ParsedLine, ServerDraft
from tui.services.studios import AskingDialog, Studios, now_ms
from tui.services.telling import job_status, judged_facts, telemetry
from tui.state import events as ev
from tui.state.facts import LinkState
from tui.state.work import JobStatus

JOBS_EVERY_S = 3.0
NOTICE_S = 0.25  # beside the 4 s in which a link finds itself dead
_LINK_STATES: dict[State, LinkState] = {
    "offline": "offline", "connecting": "connecting", "up": "up",
    "auth-needed": "auth_needed", "refused": "refused",
}  # fmt: skip


class LiveServers:
    def __init__(self, studios: Studios) -> None:
        self._studios = studios

    def load(self, emit: Emit) -> None:
        emit(ev.ServersLoaded(self._studios.saved()))

    def parse(self, line: str) -> ParsedLine:
        spec = resolve(line)
        name = free_name(spec.alias or spec.host, self._studios.config())
        return ParsedLine(
            name, _address(spec), spec.user, spec.host, spec.port, spec.identity,
            tuple(_address(hop) for hop in spec.jump),
        )  # fmt: skip

    def add(self, draft: ServerDraft, asks: Asks, emit: Emit, cancel: Cancel) -> None:
        dialog = AskingDialog(draft.name)
        dialog.asks = asks
        register(
            draft.line, self._studios.config(), self._studios.places, dialog, name=draft.name,
            offer=dialog, price_per_hour=draft.price_per_hour, currency=draft.currency or "USD",
        )  # fmt: skip
        emit(ev.ServersLoaded(self._studios.saved()))

    def remove(self, server: str, emit: Emit) -> None:
        book.remove(self._studios.places, server)
        self._studios.forget(server)
        emit(ev.ServersLoaded(self._studios.saved()))

    def watch(self, server: str, asks: Asks, emit: Emit, cancel: Cancel) -> None:
        def tell(status: Status) -> None:
            why = status.problem.message if status.problem else None
            emit(ev.LinkChanged(server, _LINK_STATES[status.state], now_ms(), why))

        self.load(emit)  # an entry may have been edited: its price, for one
        studio = self._studios.get(server, asks)
        with self._studios.listening(server, tell):
            studio.retry()
            tell(studio.status())
            while not cancel.is_set():
                try:
                    self._attend(studio, emit, cancel)
                except Problem as problem:
                    status = studio.status()  # also tells that a link was lost
                    if problem.exit_code is not ExitCode.UNREACHABLE:
                        raise
                    cancel.wait(status.next_try_s or pause(1))
                    studio = self._studios.opened(server, asks)  # its address may be another now

    def _attend(self, studio: Studio, emit: Emit, cancel: Cancel) -> None:
        """Facts once, then figures and jobs until cancelled or the link is gone."""
        link = studio.link()
        try:
            self._studios.settle(studio.name)
        except Problem as problem:
            if not link.alive:
                raise
            emit(ev.NoticeRaised("warning", problem.message, now_ms(), problem.hint))
        emit(ev.FactsSeen(studio.name, judged_facts(studio), now_ms()))
        remark = studio.recognise()
        if remark is not None:
            emit(ev.NoticeRaised("warning", remark, now_ms()))
        ready = studio.standing()
        work = str(ready.layout.work) if ready else "/"
        watch = Watch(studio.link, work)
        figures = threading.Thread(
            target=_tell_figures, args=(studio.name, watch, emit), daemon=True,
            name=f"figures:{studio.name}",
        )  # fmt: skip
        figures.start()
        try:
            while not cancel.is_set():
                if not link.alive:
                    raise LinkLost(studio.name, link.why_dead())
                ready = ready or studio.standing()
                if ready is not None:
                    studio.pass_on_use()
                    for one in tell_jobs(studio):
                        emit(ev.JobSeen(one, now_ms()))
                _rest(link, cancel)
        finally:
            watch.close()


def tell_jobs(studio: Studio) -> list[JobStatus]:
    """Every training run of a server, with the voice its id was made from."""
    states = job.runs(studio.link(), studio.layout())
    return [job_status(studio.name, state) for state in states if is_training(state.run)]


def _tell_figures(server: str, watch: Watch, emit: Emit) -> None:
    sample: Sample
    for sample in watch.samples():
        emit(ev.TelemetrySeen(server, telemetry(sample), now_ms()))


def _rest(link: Link, cancel: Cancel) -> None:
    """Wait until the next look, or until there is nothing to look at any more."""
    for _ in range(round(JOBS_EVERY_S / NOTICE_S)):
        if not link.alive or cancel.wait(NOTICE_S):
            return


def _address(spec: HostSpec) -> str:
    return replace(spec, alias="", identity=(), jump=()).format().removeprefix("ssh ")
