"""The store is a pure fold: topics name what changed, nothing is doubled, ages are honest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sovdeck.engine.contract.catalogue import Text
from sovdeck.tui.services.fakes.run import LIVE_RUN, finished_run, running_run
from sovdeck.tui.services.fakes.sample_data import SAVED, sample
from sovdeck.tui.state import events as ev
from sovdeck.tui.state import store as store_module
from sovdeck.tui.state.freshness import displayed_age, freshness, server_freshness
from sovdeck.tui.state.models import DeployStepRow, JobStatus, Transfer
from sovdeck.tui.state.state import State, StateChange
from sovdeck.tui.state.store import Store

NOW = 1_000_000_000


@pytest.fixture
def store() -> Store:
    made = Store(NOW)
    made.apply([ev.ServersLoaded(SAVED)])
    return made


def test_servers_keep_what_is_known_of_them_when_the_list_is_read_again(store: Store) -> None:
    store.apply([ev.TelemetrySeen("tokyo-4090", sample("tokyo-4090", NOW), NOW)])
    topics = store.apply([ev.ServersLoaded(SAVED[:2])])
    assert "servers" in topics
    assert set(store.state.servers) == {"tokyo-4090", "lab-a100"}
    assert store.state.servers["tokyo-4090"].telemetry is not None


def test_the_chosen_server_moves_on_when_it_is_forgotten(store: Store) -> None:
    assert store.state.server == "tokyo-4090"
    store.apply([ev.ServersLoaded(SAVED[1:])])
    assert store.state.server == "lab-a100"
    store.apply([ev.ServersLoaded(())])
    assert store.state.server is None and store.state.run is None


def test_what_came_in_pieces_gives_the_state_of_one_by_one(store: Store) -> None:
    events = running_run(NOW)
    told: list[ev.StoreEvent] = []
    for index, one in enumerate(events[:60]):
        told.append(ev.RunEvents("tokyo-4090", LIVE_RUN, (one,), NOW + index))
        if index % 3 == 0:
            told.append(ev.TelemetrySeen("tokyo-4090", sample("tokyo-4090", NOW), NOW + index))
        if index % 20 == 10:
            told.append(ev.JobSeen(JobStatus("tokyo-4090", LIVE_RUN, "running"), NOW + index))
    together, folds = Store(NOW), 0
    together.apply([ev.ServersLoaded(SAVED)])
    for one_event in told:
        store.apply([one_event])
    reduce = store_module._REDUCERS[ev.RunEvents]

    def count(state: State, event: ev.RunEvents) -> StateChange:
        nonlocal folds
        folds += 1
        return reduce(state, event)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(store_module._REDUCERS, ev.RunEvents, count)
        together.apply(told)
    assert together.state == store.state
    assert folds == 4, "one between any two that say something else of the run"


def test_a_late_word_about_a_forgotten_server_changes_nothing(store: Store) -> None:
    before = store.state
    late: list[ev.StoreEvent] = [
        ev.ConnectionChanged("gone", "up", NOW),
        ev.TelemetrySeen("gone", sample("gone", NOW), NOW),
        ev.RunEvents("gone", "r", tuple(running_run(NOW)[:3]), NOW),
        ev.JobSeen(JobStatus("gone", "r", "running"), NOW),
        ev.LogLines("gone", "r", ("x",), NOW),
    ]
    store.apply(late)
    assert store.state.servers == before.servers and store.state.runs == {}


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 1384), max_size=6))
def test_a_stream_cut_anywhere_gives_the_same_curves(cuts: list[int]) -> None:
    events = running_run(NOW)
    whole, cut = Store(NOW), Store(NOW)
    for store in (whole, cut):
        store.apply([ev.ServersLoaded(SAVED)])
    whole.apply([ev.RunEvents("tokyo-4090", LIVE_RUN, tuple(events), NOW)])
    edges = [0, *sorted(min(c, len(events)) for c in cuts), len(events)]
    for first, last in zip(edges, edges[1:], strict=False):
        cut.apply([ev.RunEvents("tokyo-4090", LIVE_RUN, tuple(events[first:last]), NOW)])
    a, b = whole.state.runs["tokyo-4090", LIVE_RUN], cut.state.runs["tokyo-4090", LIVE_RUN]
    assert a.state == b.state and a.state.gaps == a.state.repeats == 0
    for name, series in a.curves["sovits"].items():
        assert str(list(series)) == str(list(b.curves["sovits"][name]))
    assert len(a.curves["sovits"]["total"]) == 1380
    assert a.state.points == ()


def test_events_read_again_after_a_reconnect_are_not_drawn_twice(store: Store) -> None:
    events = tuple(running_run(NOW)[:400])
    store.apply([ev.RunEvents("tokyo-4090", LIVE_RUN, events, NOW)])
    once = len(store.state.runs["tokyo-4090", LIVE_RUN].curves["sovits"]["total"])
    store.apply([ev.RunEvents("tokyo-4090", LIVE_RUN, events, NOW)])
    assert len(store.state.runs["tokyo-4090", LIVE_RUN].curves["sovits"]["total"]) == once


def test_a_run_at_work_is_shown_unless_the_person_chose_another(store: Store) -> None:
    done = JobStatus("lab-a100", "old", "succeeded")
    live = JobStatus("tokyo-4090", "new", "running")
    store.apply([ev.JobSeen(done, NOW)])
    assert store.state.run == ("lab-a100", "old")
    store.apply([ev.JobSeen(live, NOW)])
    assert store.state.run == ("tokyo-4090", "new")
    store.apply([ev.RunChosen("lab-a100", "old"), ev.JobSeen(live, NOW)])
    assert store.state.run == ("lab-a100", "old")


def test_the_supervisor_has_the_last_word_on_how_a_run_ended(store: Store) -> None:
    events = tuple(finished_run(NOW))
    store.apply([ev.RunEvents("lab-a100", "m", events, NOW)])
    assert store.state.runs["lab-a100", "m"].status == "succeeded"
    store.apply([ev.JobSeen(JobStatus("lab-a100", "m", "killed", exit_code=137), NOW)])
    view = store.state.runs["lab-a100", "m"]
    assert view.status == "killed" and view.ended


def test_log_keeps_its_newest_lines_and_counts_the_rest(store: Store) -> None:
    for start in range(0, 6000, 1000):
        lines = tuple(str(n) for n in range(start, start + 1000))
        store.apply([ev.LogLines("lab-a100", "m", lines, NOW)])
    view = store.state.runs["lab-a100", "m"]
    assert view.log[-1] == "5999" and view.log[0] == "1000" and view.log_dropped == 1000


def test_telemetry_keeps_missing_figures_missing(store: Store) -> None:
    from sovdeck.tui.state.server_models import GpuReading, Telemetry

    blind = Telemetry(NOW, "nvidia-smi", (GpuReading("u", "GB10"),))
    store.apply([ev.TelemetrySeen("lab-a100", blind, NOW)])
    assert store.state.history["lab-a100"]["u/memory"].last() is None


def test_steps_of_a_deploy_take_their_place(store: Store) -> None:
    one = DeployStepRow("a", Text("A", "甲"))
    two = DeployStepRow("b", Text("B", "乙"))
    store.apply([ev.DeployPlanned("lab-a100", (one, two))])
    from dataclasses import replace

    store.apply([ev.DeployStepChanged("lab-a100", replace(two, state="done"))])
    assert [s.state for s in store.state.deploys["lab-a100"]] == ["waiting", "done"]


def test_an_ended_transfer_is_not_ended_again(store: Store) -> None:
    row = Transfer("t", "pull", "lab-a100", "Mika", state="done", verified=True)
    store.apply([ev.TransferChanged(row), ev.TransferEnded("t", "cancelled")])
    assert store.state.transfers["t"].state == "done"


@pytest.mark.parametrize(
    ("age_s", "expected"), [(0, "live"), (9, "live"), (11, "stale"), (119, "stale"), (121, "lost")]
)
def test_freshness(age_s: int, expected: str) -> None:
    assert freshness(NOW - age_s * 1000, NOW) == expected
    assert freshness(None, NOW) == "never"


def test_a_closed_link_is_never_live(store: Store) -> None:
    store.apply([ev.ConnectionChanged("lab-a100", "up", NOW)])
    assert server_freshness(store.state.servers["lab-a100"], NOW) == "live"
    store.apply([ev.ConnectionChanged("lab-a100", "offline", NOW)])
    assert server_freshness(store.state.servers["lab-a100"], NOW) == "lost"


def test_ticks_are_a_topic_only_when_an_age_reads_differently(store: Store) -> None:
    store.apply([ev.ConnectionChanged("lab-a100", "up", NOW)])
    assert store.apply([ev.ClockTicked(NOW + 1000)]) == frozenset()
    assert store.apply([ev.ClockTicked(NOW + 10_000)]) == {"ages"}
    assert store.apply([ev.ClockTicked(NOW + 11_000)]) == frozenset()
    assert [displayed_age(a) for a in (0, 9.9, 10, 14, 59, 61, 125)] == [0, 0, 10, 10, 55, 60, 120]


def test_what_was_pushed_is_among_the_servers_datasets() -> None:
    store = Store()
    store.apply([ev.DatasetsSeen("box", ("Anna",))])
    store.apply([ev.TransferChanged(Transfer("push:box", "push", "box", "Bea", "running"))])
    assert store.state.datasets == {"box": ("Anna",)}
    changed = store.apply([ev.TransferChanged(Transfer("push:box", "push", "box", "Bea", "done"))])
    assert store.state.datasets == {"box": ("Anna", "Bea")} and "plan" in changed


def test_a_server_that_names_runs_without_end_fills_no_memory(store: Store) -> None:
    for number in range(store_module.MOST_RUNS + 50):
        job = JobStatus("lab-a100", f"run-{number:06}", "failed")
        store.apply([ev.JobSeen(job, NOW + number)])
    names = [run for server, run in store.state.runs if server == "lab-a100"]
    assert len(store.state.runs) == store_module.MOST_RUNS
    assert f"run-{number:06}" in names and "run-000003" not in names
