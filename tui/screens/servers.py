"""The Servers screen: connection, GPU, memory, job, disk and price of every saved server."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from textual import events
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, DataTable

from sovdeck.engine.contract.format import UNKNOWN, format_bytes, format_gib, format_money
from sovdeck.tui.screens.base.sortable_table import SortableTableScreen
from sovdeck.tui.screens.deploy import DeployScreen
from sovdeck.tui.screens.dialogs.add_server import AddServerScreen
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.screens.disk import DiskScreen
from sovdeck.tui.screens.rent.screen import RentScreen
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state import commands
from sovdeck.tui.state.freshness import server_freshness
from sovdeck.tui.state.next_step import next_step
from sovdeck.tui.state.runs import RunView
from sovdeck.tui.state.server_models import ServerState, Telemetry
from sovdeck.tui.state.state import State, Topics
from sovdeck.tui.state.table_layout import Value
from sovdeck.tui.text.i18n import translate_text
from sovdeck.tui.widgets.diff_table import DiffTable, TableCell
from sovdeck.tui.widgets.first_run import FirstRun
from sovdeck.tui.widgets.gauge import memory_bar
from sovdeck.tui.widgets.status_labels import age_text, connection_pill, job_pill, level_mark
from sovdeck.tui.widgets.steady_text import SteadyText

COLUMNS = {
    "name": "tui.servers.name",
    "link": "tui.servers.link",
    "gpu": "tui.servers.gpu",
    "memory": "tui.servers.memory",
    "job": "tui.servers.job",
    "disk": "tui.servers.disk",
    "price": "tui.servers.price",
}
_SERVER_ACTIONS = ("connect", "deploy", "disk", "remove", "open", "columns")
_NARROW_COLUMNS = ("name", "link", "job", "price")


class ServersScreen(SortableTableScreen):
    """The table of servers, or the first-run options while no server is saved."""

    TAB = "servers"
    COLUMNS = COLUMNS
    OPTIONAL_COLUMNS = ("disk", "memory", "gpu", "price")
    TOPICS: ClassVar[tuple[str, ...]] = ("servers", "runs", "ages", "chosen")
    BINDINGS = bindings("servers")
    CSS_PATH = "../styles/servers.tcss"

    def compose_body(self) -> Iterable[Widget]:
        with Vertical(id="list"):
            yield DiffTable(id="servers")
        yield SteadyText(id="detail")
        yield FirstRun(id="empty")

    def __init__(self) -> None:
        super().__init__()
        self._starting_practice = False
        self._own_computer_chosen = False
        self._keys_for: tuple[bool, bool] | None = None

    def _is_first_run(self, state: State) -> bool:
        """Whether no server was added yet; this computer itself is always listed."""
        saved = [server.saved for server in state.servers.values()]
        return (
            not self._own_computer_chosen
            and not state.runs
            and all(not one.address for one in saved)
        )

    @property
    def table(self) -> DiffTable:
        """The table of servers."""
        return self.query_one(DiffTable)

    def on_resize(self) -> None:
        self.redraw_after_refresh(self.redraw_all)

    def show(self, state: State, topics: Topics | None) -> None:
        servers = list(state.servers.values())
        self.query_one(FirstRun).show_own_option(bool(servers))
        first_run = self._is_first_run(state)
        self.set_class(first_run, "-empty")
        if self._keys_for != (first_run, bool(servers)):  # what `check_action` asks for
            self._keys_for = first_run, bool(servers)
            self.refresh_bindings()
        shown = _NARROW_COLUMNS if self.app.size.width < 100 else tuple(COLUMNS)
        servers = self.table_layout.sort_rows(servers, partial(_sort_value, state))
        rows = [(server.name, self._cells(state, server)) for server in servers]
        self.fill_table(shown, rows, state.server)
        self._show_detail(state)
        if self._starting_practice and state.run is not None:
            self._starting_practice = False
            self.app.switch_mode("monitor")

    def _cells(self, state: State, server: ServerState) -> dict[str, TableCell]:
        fresh = server_freshness(server, state.now)
        facts, sample, saved = server.facts, server.telemetry, server.saved
        gpus = facts.gpus if facts else ()
        gpu = UNKNOWN
        if gpus:
            gpu = f"{len(gpus)} × {gpus[0].name}" if len(gpus) > 1 else gpus[0].name
        elif facts:
            gpu = self.translate("tui.servers.no_gpu")
        price = UNKNOWN
        if saved.price_per_hour is not None:
            per_hour = format_money(saved.price_per_hour, saved.currency)
            price = self.translate("tui.servers.per_hour", price=per_hour)
        return {
            "name": Content.styled(server.name, "bold"),
            "link": connection_pill(self, server.connection, fresh),
            "gpu": gpu,
            "memory": self._memory_cell(server) if sample else UNKNOWN,
            "job": self._job_cell(state, server),
            "disk": self.translate("tui.servers.free", size=format_bytes(facts.disk_free))
            if facts
            else UNKNOWN,
            "price": price,
        }

    def _memory_cell(self, server: ServerState) -> Content:
        assert server.telemetry is not None
        ours, used, total = _memory_use(server.telemetry)
        bar = memory_bar(ours, used, total, 8)
        return Content.assemble(bar, f" {format_gib(used)}/{format_gib(total)}")

    def _job_cell(self, state: State, server: ServerState) -> Content:
        run = _newest_run(state, server)
        if run is None:
            return Content.styled(UNKNOWN, "$faint")
        return Content.assemble((f"{run.voice} ", "bold"), job_pill(self, run.status))

    def _show_detail(self, state: State) -> None:
        server = state.chosen_server
        lines: list[Content] = []
        if server is not None:
            age = age_text(self, server.heard_at, state.now)
            lines.append(
                Content.assemble(
                    (server.name, "bold $primary"),
                    f"  {server.saved.address}  ",
                    (server.saved.profile, "$faint"),
                    (f"  {age}", "$warning"),
                )
            )
            # Before what the probe found, which may be longer than the panel.
            step = next_step(state, server.name)
            if step is not None:
                prefix = self.translate("tui.servers.next")
                lines.append(
                    Content.assemble((f"{prefix}  ", "bold $secondary"), self.translate(step))
                )
            if server.connection_detail is not None:
                lines.append(
                    Content.styled(translate_text(self, server.connection_detail), "$warning")
                )
            if server.facts is not None:
                facts = server.facts
                known = [facts.system, facts.python and f"Python {facts.python}"]
                known.append(self.translate("tui.servers.ram", size=format_gib(facts.ram_total)))
                deployed = "tui.servers.deployed" if facts.deployed else "tui.servers.not_deployed"
                known.append(self.translate(deployed))
                lines.append(Content("  ·  ".join(part for part in known if part)))
                for remark in facts.diagnosis:
                    line = Content.assemble(
                        level_mark(remark.level),
                        f" {translate_text(self, remark.text)} ",
                        (translate_text(self, remark.hint), "$faint"),
                    )
                    lines.append(line)
        self.query_one("#detail", SteadyText).update(Content("\n").join(lines))

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        name = self.table.cursor_key
        if name is not None and name != self.base_app.state.server:
            self.post_command(commands.ChooseServer(name))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        self.action_open()

    def action_open(self) -> None:
        """Show the run that is active there, else the last one, else the training form."""
        state = self.base_app.state
        runs = state.runs_of(state.server) if state.server else ()
        if runs:
            active = [run for run in runs if not run.ended] or list(runs)
            self.post_command(commands.ChooseRun(active[-1].server, active[-1].run))
            self.app.switch_mode("monitor")
        elif state.server:
            self.app.switch_mode("train")

    def action_add(self) -> None:
        self._open_add_dialog("")

    def _open_add_dialog(self, line: str) -> None:
        self._starting_practice = False

        self.app.push_screen(AddServerScreen(line))

    def on_paste(self, event: events.Paste) -> None:
        """A pasted line opens the dialog that adds a server: nothing else here takes text."""
        line = event.text.strip().splitlines()
        if line and self.app.screen is self:
            event.stop()
            self._open_add_dialog(line[0])

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "paste":
            self.action_add()
        elif event.button.id == "rent":
            self.action_rent()
        elif event.button.id == "try":
            self.action_try_here()
        else:
            self.action_use_here()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether an action applies now; keys of the others are hidden."""
        # The practice server is offered only while there is no other; later it is `sovdeck demo`.
        state = self.base_app.state
        if action == "use_here":
            return self._is_first_run(state) and bool(state.servers)
        if action == "try_here":
            return self._is_first_run(state)
        return action not in _SERVER_ACTIONS or not self._is_first_run(state)

    def action_use_here(self) -> None:
        self._own_computer_chosen = True
        self.redraw_all()

    def action_try_here(self) -> None:
        self._starting_practice = True
        self.post_command(commands.StartPractice())

    def action_connect(self) -> None:
        if self.base_app.state.server:
            self.post_command(commands.Connect(self.base_app.state.server))

    def action_deploy(self) -> None:
        if self.base_app.state.server:
            self.app.push_screen(DeployScreen(self.base_app.state.server))

    def action_rent(self) -> None:
        self.app.push_screen(RentScreen())

    def action_disk(self) -> None:
        if self.base_app.state.server:
            self.app.push_screen(DiskScreen(self.base_app.state.server))

    def action_remove(self) -> None:
        server = self.base_app.state.chosen_server
        if server is None:
            return
        busy = [run.voice for run in self.base_app.state.runs_of(server.name) if not run.ended]
        key = "tui.servers.remove_busy" if busy else "tui.servers.remove"
        facts = {"name": server.name, "voice": ", ".join(busy)}

        def answered(yes: bool | None) -> None:
            if yes:
                self.post_command(commands.RemoveServer(server.name))

        self.app.push_screen(ConfirmScreen(key, facts, dangerous=bool(busy)), answered)

    def action_cursor(self, by: int) -> None:
        self.table.move_cursor(row=self.table.cursor_row + by)


def _newest_run(state: State, server: ServerState) -> RunView | None:
    """The active run of a server, else its last one."""
    runs = state.runs_of(server.name)
    active = [run for run in runs if not run.ended]
    return (active or list(runs))[-1] if runs else None


def _memory_use(sample: Telemetry) -> tuple[int | None, int | None, int | None]:
    """(own, used, total) bytes of the first GPU, or of RAM where there is none."""
    if sample.gpus:
        gpu = sample.gpus[0]
        return gpu.memory_ours, gpu.memory_used, gpu.memory_total
    return sample.process_rss, sample.ram_used, sample.ram_total


def _sort_value(state: State, server: ServerState, column: str) -> Value:
    """The value that a column sorts by."""
    facts, sample = server.facts, server.telemetry
    if column == "link":
        return server.connection
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
