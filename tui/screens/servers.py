"""All saved servers at a glance: link, GPU, memory, job, disk, price."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from textual import events
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, DataTable, Static

from tui.actions import bindings
from tui.figures import NONE, memory, money, size
from tui.language import say_hint, tell
from tui.screens.arranged import ArrangedRoom
from tui.screens.confirm import Confirm
from tui.state import wishes
from tui.state.ages import server_freshness
from tui.state.arrangement import Value
from tui.state.facts import ServerState, Telemetry
from tui.state.next_step import next_step
from tui.state.runs import RunView
from tui.state.state import State, Topics
from tui.state.work import ENDED
from tui.widgets.fact_table import Cell, FactTable
from tui.widgets.first_run import FirstRun
from tui.widgets.gauge import memory_bar
from tui.widgets.states import age_words, job_pill, level_mark, link_pill

COLUMNS = {
    "name": "tui.servers.name", "link": "tui.servers.link", "gpu": "tui.servers.gpu",
    "memory": "tui.servers.memory", "job": "tui.servers.job", "disk": "tui.servers.disk",
    "price": "tui.servers.price",
}  # fmt: skip
_OF_A_SERVER = ("connect", "deploy", "remove", "open", "columns")
_NARROW = ("name", "link", "job", "price")


class ServersScreen(ArrangedRoom):
    TAB = "servers"
    COLUMNS = COLUMNS
    SPARE = ("disk", "memory", "gpu", "price")
    TOPICS: ClassVar[tuple[str, ...]] = ("servers", "runs", "ages", "chosen")
    BINDINGS = bindings("servers")
    CSS_PATH = "../styles/servers.tcss"

    def body(self) -> Iterable[Widget]:
        with Vertical(id="list"):
            yield FactTable(id="servers")
        yield Static(id="detail")
        yield FirstRun(id="empty")

    def __init__(self) -> None:
        super().__init__()
        self._trying = False
        self._own = False

    def _is_first(self, state: State) -> bool:
        """No server of the person's yet: the one on this computer is there without asking."""
        saved = [server.saved for server in state.servers.values()]
        return not self._own and not state.runs and all(not one.address for one in saved)

    @property
    def table(self) -> FactTable:
        return self.query_one(FactTable)

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_all)

    def show(self, state: State, topics: Topics | None) -> None:
        servers = list(state.servers.values())
        self.query_one(FirstRun).offer_own(bool(servers))
        if self.has_class("-empty") != self._is_first(state):
            self.toggle_class("-empty")
        self.refresh_bindings()
        shown = _NARROW if self.app.size.width < 100 else tuple(COLUMNS)
        servers = self.arrangement.rows(servers, partial(_figure, state))
        rows = [(server.name, self._cells(state, server)) for server in servers]
        self.fill(shown, rows, state.server)
        self._detail(state)
        if self._trying and state.run is not None:
            self._trying = False
            self.app.switch_mode("monitor")

    def _cells(self, state: State, server: ServerState) -> dict[str, Cell]:
        fresh = server_freshness(server, state.now)
        facts, sample, saved = server.facts, server.telemetry, server.saved
        gpus = facts.gpus if facts else ()
        gpu = NONE
        if gpus:
            gpu = f"{len(gpus)} × {gpus[0].name}" if len(gpus) > 1 else gpus[0].name
        elif facts:
            gpu = self.say("tui.servers.no_gpu")
        price = NONE
        if saved.price_per_hour is not None:
            per_hour = money(saved.price_per_hour, saved.currency)
            price = self.say("tui.servers.per_hour", price=per_hour)
        return {
            "name": Content.styled(server.name, "bold"),
            "link": link_pill(self, server.link, fresh),
            "gpu": gpu,
            "memory": self._memory(server) if sample else NONE,
            "job": self._job(state, server),
            "disk": self.say("tui.servers.free", size=size(facts.disk_free)) if facts else NONE,
            "price": price,
        }

    def _memory(self, server: ServerState) -> Content:
        assert server.telemetry is not None
        ours, used, total = _memory_use(server.telemetry)
        bar = memory_bar(ours, used, total, 8)
        return Content.assemble(bar, f" {memory(used)}/{memory(total)}")

    def _job(self, state: State, server: ServerState) -> Content:
        run = _newest_run(state, server)
        if run is None:
            return Content.styled(NONE, "$faint")
        return Content.assemble((f"{run.voice} ", "bold"), job_pill(self, run.status))

    def _detail(self, state: State) -> None:
        server = state.chosen_server
        lines: list[Content] = []
        if server is not None:
            age = age_words(self, server.heard_at, state.now)
            lines.append(
                Content.assemble(
                    (server.name, "bold $primary"), f"  {server.saved.address}  ",
                    (server.saved.profile, "$faint"), (f"  {age}", "$warning"),
                )
            )  # fmt: skip
            if server.link_detail is not None:
                lines.append(Content.styled(tell(self, server.link_detail), "$warning"))
            if server.facts is not None:
                facts = server.facts
                known = [facts.system, facts.python and f"Python {facts.python}"]
                known.append(self.say("tui.servers.ram", size=memory(facts.ram_total)))
                deployed = "tui.servers.deployed" if facts.deployed else "tui.servers.not_deployed"
                known.append(self.say(deployed))
                lines.append(Content("  ·  ".join(part for part in known if part)))
                for remark in facts.verdict:
                    words = Content.assemble(
                        level_mark(remark.level), f" {tell(self, remark.text)} ",
                        (tell(self, remark.hint), "$faint"),
                    )  # fmt: skip
                    lines.append(words)
            step = next_step(state, server.name)
            if step is not None:
                ahead = self.say("tui.servers.next")
                lines.append(Content.assemble((f"{ahead}  ", "bold $secondary"), self.say(step)))
        self.query_one("#detail", Static).update(Content("\n").join(lines))

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        name = self.table.chosen_key
        if name is not None and name != self.deck.state.server:
            self.ask(wishes.ChooseServer(name))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        self.action_open()

    def action_open(self) -> None:
        """To the run at work there, else the last one, else the form for a new one."""
        state = self.deck.state
        runs = state.runs_of(state.server) if state.server else ()
        if runs:
            at_work = [run for run in runs if not run.ended] or list(runs)
            self.ask(wishes.ChooseRun(at_work[-1].server, at_work[-1].run))
            self.app.switch_mode("monitor")
        elif state.server:
            self.app.switch_mode("train")

    def action_add(self) -> None:
        self._add("")

    def _add(self, line: str) -> None:
        self._trying = False
        from tui.screens.add_server import AddServerScreen

        self.app.push_screen(AddServerScreen(line))

    def on_paste(self, event: events.Paste) -> None:
        """A pasted line is the wish to add a server: nothing else here takes text."""
        line = event.text.strip().splitlines()
        if line:
            event.stop()
            self._add(line[0])

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "paste":
            self.action_add()
        elif event.button.id == "try":
            self.action_try_here()
        else:
            self.action_use_here()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # A practice server stands in for none at all; with servers saved, it is `sovdeck demo`.
        state = self.deck.state
        if action == "use_here":
            return self._is_first(state) and bool(state.servers)
        if action == "try_here":
            return self._is_first(state)
        return action not in _OF_A_SERVER or not self._is_first(state)

    def action_use_here(self) -> None:
        self._own = True
        self.show_all()

    def action_try_here(self) -> None:
        self._trying = True
        title, more = self.say("tui.servers.trying"), say_hint(self, "tui.servers.trying")
        self.notify(more, title=title, timeout=10)
        self.ask(wishes.TryHere())

    def action_connect(self) -> None:
        if self.deck.state.server:
            self.ask(wishes.Connect(self.deck.state.server))

    def action_deploy(self) -> None:
        from tui.screens.deploy import DeployScreen

        if self.deck.state.server:
            self.app.push_screen(DeployScreen(self.deck.state.server))

    def action_remove(self) -> None:
        server = self.deck.state.chosen_server
        if server is None:
            return
        busy = [
            run.voice for run in self.deck.state.runs_of(server.name) if run.status not in ENDED
        ]
        words = "tui.servers.remove_busy" if busy else "tui.servers.remove"
        facts = {"name": server.name, "voice": ", ".join(busy)}

        def answered(yes: bool | None) -> None:
            if yes:
                self.ask(wishes.RemoveServer(server.name))

        self.app.push_screen(Confirm(words, facts), answered)

    def action_cursor(self, by: int) -> None:
        self.table.move_cursor(row=self.table.cursor_row + by)


def _newest_run(state: State, server: ServerState) -> RunView | None:
    """The run at work there, else the last one."""
    runs = state.runs_of(server.name)
    at_work = [run for run in runs if not run.ended]
    return (at_work or list(runs))[-1] if runs else None


def _memory_use(sample: Telemetry) -> tuple[int | None, int | None, int | None]:
    """Bytes: ours, in use, in all; of the first GPU, or of the host where there is none."""
    if sample.gpus:
        gpu = sample.gpus[0]
        return gpu.memory_ours, gpu.memory_used, gpu.memory_total
    return sample.process_rss, sample.ram_used, sample.ram_total


def _figure(state: State, server: ServerState, column: str) -> Value:
    """What a column sorts by."""
    facts, sample = server.facts, server.telemetry
    if column == "link":
        return server.link
    if column == "gpu":
        return facts.gpus[0].name if facts and facts.gpus else None
    if column == "memory":
        return _memory_use(sample)[1] if sample else None
    if column == "job":
        run = _newest_run(state, server)
        return run.voice if run is not None else None
    if column == "disk":
        return facts.disk_free if facts else None
    return server.saved.price_per_hour if column == "price" else server.name
