"""Every key of the dashboard in one table: bindings, footer, palette and help come from it.

An action's text is one catalogue entry: its sentence is the title, its hint the help.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType

from sovdeck.engine.contract.catalogue import Text, hint, text


@dataclass(frozen=True)
class Action:
    """One key binding.

    `textual_action` is the action Textual runs. `scope` is the tab of the screen that has it, `app`
    for everywhere, `screen` for every screen, or the dialog or widget it belongs to. `risky`
    actions ask before they act, and none of them sits on a bare letter.
    """

    text_key: str
    keys: str
    textual_action: str
    scope: str = "app"
    footer: bool = True
    risky: bool = False

    @property
    def id(self) -> str:
        """The binding's id, which a keymap in the settings file names."""
        return f"{self.scope}.{self.text_key.rsplit('.', 1)[1]}"

    @property
    def title(self) -> Text:
        """What the action is called."""
        return text(self.text_key)

    @property
    def help(self) -> Text:
        """What the action does, in a sentence."""
        return hint(self.text_key)


def _widget_action(scope: str, name: str, keys: str, textual_action: str) -> Action:
    return Action(f"tui.actions.{name}", keys, textual_action, scope, footer=False)


# Dialogs, and widgets with keys of their own: with the focus there they go before a screen's.
WIDGET_ACTIONS: tuple[Action, ...] = (
    _widget_action("confirm", "yes", "y", "answer(True)"),
    _widget_action("confirm", "no", "n,escape", "answer(False)"),
    _widget_action("confirm", "other_button", "left,right,h,l", "app.focus_next"),
    _widget_action("host_key", "refuse", "escape", "refuse"),
    _widget_action("host_key", "other_button", "left,right,h,l", "app.focus_next"),
    _widget_action("secret", "leave", "escape", "leave"),
    _widget_action("name", "leave", "escape", "leave"),
    _widget_action("picker", "leave", "escape", "leave"),
    _widget_action("picker", "up", "backspace", "up"),
    _widget_action("tree", "open_folder", "right,l", "open"),
    _widget_action("tree", "close_folder", "left,h", "close"),
    _widget_action("add", "leave", "escape", "leave"),
    _widget_action("provider_key", "leave", "escape", "leave"),
    _widget_action("columns", "leave", "escape,q", "leave"),
    _widget_action("compare", "leave", "escape,q,o", "leave"),
    _widget_action("compare", "tick", "space", "tick"),
    _widget_action("compare", "down", "j", "cursor(1)"),
    _widget_action("compare", "up", "k", "cursor(-1)"),
    _widget_action("jump", "leave", "escape,ctrl+o", "leave"),
    _widget_action("help", "leave", "escape,q,f1,question_mark", "leave"),
    _widget_action("help", "scroll_down", "j,down", "scroll(1)"),
    _widget_action("help", "scroll_up", "k,up", "scroll(-1)"),
    _widget_action("notices", "leave", "escape,q,f9", "leave"),
    _widget_action("notices", "scroll_down", "j,down", "scroll(1)"),
    _widget_action("notices", "scroll_up", "k,up", "scroll(-1)"),
    _widget_action("doubtful", "leave", "escape,q,b", "leave"),
    _widget_action("doubtful", "play_clip", "space", "play"),
    _widget_action("doubtful", "redo_sentence", "e", "redo"),
    _widget_action("doubtful", "keep_sentence", "s", "keep"),
    _widget_action("doubtful", "refresh", "r", "refresh_books"),
    _widget_action("doubtful", "down", "j", "cursor(1)"),
    _widget_action("doubtful", "up", "k", "cursor(-1)"),
    _widget_action("record", "leave", "escape", "leave"),
    _widget_action("record", "record", "ctrl+r", "record"),
    _widget_action("record", "play_clip", "f5", "play"),
    _widget_action("record", "keep_recording", "ctrl+s", "keep"),
    _widget_action("trim_reference", "leave", "escape", "leave"),
    _widget_action("trim_reference", "send", "ctrl+s", "send"),
    _widget_action("trim_reference", "play_clip", "space", "play"),
    _widget_action("new_audition", "leave", "escape", "leave"),
    _widget_action("new_audition", "render", "ctrl+s", "start"),
    _widget_action("new_audition", "tick", "space", "tick"),
    _widget_action("vote", "hear_a", "a", "play_side('a')"),
    _widget_action("vote", "hear_b", "b", "play_side('b')"),
    _widget_action("vote", "hear_both", "space", "play_both"),
    _widget_action("vote", "a_better", "1", "vote('a')"),
    _widget_action("vote", "b_better", "2", "vote('b')"),
    _widget_action("vote", "neither", "0", "vote('')"),
    _widget_action("vote", "leave", "escape", "leave"),
    Action("tui.actions.edit_field", "enter", "edit", "field"),
    Action("tui.actions.end_edit", "escape", "end_edit", "field"),
    _widget_action("choice", "next_value", "right,l,space,enter", "step(1)"),
    _widget_action("choice", "previous_value", "left,h", "step(-1)"),
    _widget_action("choice", "next_field", "down,j", "app.focus_next"),
    _widget_action("choice", "previous_field", "up,k", "app.focus_previous"),
    _widget_action("trim", "start_earlier", "left,h", "trim('start', -1)"),
    _widget_action("trim", "start_later", "right,l", "trim('start', 1)"),
    _widget_action("trim", "end_earlier", "shift+left,H", "trim('end', -1)"),
    _widget_action("trim", "end_later", "shift+right,L", "trim('end', 1)"),
    _widget_action("trim", "both_earlier", "left_square_bracket", "trim('both', -5)"),
    _widget_action("trim", "both_later", "right_square_bracket", "trim('both', 5)"),
    _widget_action("grid", "left", "left,h", "move(-1, 0)"),
    _widget_action("grid", "right", "right,l", "move(1, 0)"),
    _widget_action("grid", "up", "up,k", "move(0, -1)"),
    _widget_action("grid", "down", "down,j", "move(0, 1)"),
    _widget_action("clips", "up", "up", "cursor(-1)"),
    _widget_action("clips", "down", "down", "cursor(1)"),
    _widget_action("clips", "page_up", "pageup", "page(-1)"),
    _widget_action("clips", "page_down", "pagedown", "page(1)"),
    _widget_action("clips", "first_row", "home,g", "cursor(-1000000)"),
    _widget_action("clips", "last_row", "end,G", "cursor(1000000)"),
)

ACTIONS: tuple[Action, ...] = (
    Action("tui.actions.servers", "1", "go('servers')", footer=False),
    Action("tui.actions.monitor", "2", "go('monitor')", footer=False),
    Action("tui.actions.voices", "3", "go('voices')", footer=False),
    Action("tui.actions.train", "4", "go('train')", footer=False),
    Action("tui.actions.dataset", "5", "go('dataset')", footer=False),
    Action("tui.actions.speak", "6", "go('speak')", footer=False),
    Action("tui.actions.audition", "7", "go('audition')", footer=False),
    Action("tui.actions.logs", "8", "go('logs')", footer=False),
    Action("tui.actions.settings", "9", "go('settings')", footer=False),
    Action("tui.actions.palette", "ctrl+p", "command_palette"),
    Action("tui.actions.jump", "ctrl+o", "jump", footer=False),
    Action("tui.actions.help", "f1,question_mark", "show_help"),
    Action("tui.actions.language", "f2", "switch_language", footer=False),
    Action("tui.actions.theme", "f3", "next_theme", footer=False),
    Action("tui.actions.read_only", "f4", "toggle_read_only", footer=False),
    Action("tui.actions.notices", "f9", "show_notices", footer=False),
    Action("tui.actions.quit", "ctrl+q", "app.quit"),
    Action("tui.actions.add_server", "a", "add", "servers"),
    Action("tui.actions.try_here", "t", "try_here", "servers"),
    Action("tui.actions.use_here", "o", "use_here", "servers"),
    Action("tui.actions.open_server", "enter", "open", "servers"),
    Action("tui.actions.connect", "c", "connect", "servers"),
    Action("tui.actions.deploy", "d", "deploy", "servers"),
    Action("tui.actions.rent", "r", "rent", "servers"),
    Action("tui.actions.disk", "f", "disk", "servers"),
    Action("tui.actions.remove_server", "delete", "remove", "servers", risky=True),
    Action("tui.actions.columns", "v", "columns", "servers"),
    Action("tui.actions.down", "j", "cursor(1)", "servers", footer=False),
    Action("tui.actions.up", "k", "cursor(-1)", "servers", footer=False),
    Action("tui.actions.download", "d", "download", "monitor"),
    Action("tui.actions.log_scale", "L", "log_scale", "monitor"),
    Action("tui.actions.smoothing", "s", "smoothing", "monitor"),
    Action("tui.actions.zoom_in", "z,plus,equals_sign", "zoom(0.6)", "monitor"),
    Action("tui.actions.zoom_out", "Z,minus", "zoom(1.7)", "monitor", footer=False),
    Action("tui.actions.zoom_reset", "0", "zoom_reset", "monitor", footer=False),
    Action("tui.actions.cursor_left", "left,h", "readout(-1)", "monitor", footer=False),
    Action("tui.actions.cursor_right", "right,l", "readout(1)", "monitor", footer=False),
    Action("tui.actions.cursor_off", "c", "readout_off", "monitor", footer=False),
    Action("tui.actions.next_stage", "n", "next_stage", "monitor"),
    Action("tui.actions.next_loss", "m", "next_loss", "monitor"),
    Action("tui.actions.compare", "o", "compare", "monitor", footer=False),
    Action("tui.actions.next_run", "right_square_bracket", "next_run(1)", "monitor"),
    Action(
        "tui.actions.previous_run", "left_square_bracket", "next_run(-1)", "monitor", footer=False
    ),
    Action("tui.actions.stop_run", "ctrl+x", "stop", "monitor", risky=True),
    Action("tui.actions.download", "d", "download", "voices"),
    Action("tui.actions.download_community", "D", "download_community", "voices", footer=False),
    Action("tui.actions.refresh", "r", "refresh_voices", "voices"),
    Action("tui.actions.cancel_transfer", "x", "cancel_transfer", "voices"),
    Action("tui.actions.copy_path", "y", "copy_path", "voices"),
    Action("tui.actions.speak_voice", "s", "speak", "voices"),
    Action("tui.actions.audition_voice", "a", "audition", "voices"),
    Action("tui.actions.columns", "v", "columns", "voices"),
    Action("tui.actions.down", "j", "cursor(1)", "voices", footer=False),
    Action("tui.actions.up", "k", "cursor(-1)", "voices", footer=False),
    Action("tui.actions.start_training", "ctrl+s", "start", "train", risky=True),
    Action("tui.actions.reset_field", "ctrl+r", "reset_field", "train"),
    Action("tui.actions.next_section", "ctrl+n", "next_section", "train"),
    Action("tui.actions.fetch_weights", "f8", "fetch_weights", "train"),
    Action("tui.actions.save_recipe", "f6", "save_recipe", "train"),
    Action("tui.actions.forget_recipe", "f7", "forget_recipe", "train", footer=False, risky=True),
    Action("tui.actions.check_dataset", "ctrl+s", "check", "dataset"),
    Action("tui.actions.browse", "f7", "browse", "dataset"),
    Action("tui.actions.make_list", "f6", "make_list", "dataset"),
    Action("tui.actions.push_dataset", "f5", "push", "dataset"),
    Action("tui.actions.next_clip", "n", "next", "dataset"),
    Action("tui.actions.play_clip", "space", "play", "dataset"),
    Action("tui.actions.edit_clip", "enter", "edit", "dataset"),
    Action("tui.actions.undo_edit", "u", "undo", "dataset"),
    Action("tui.actions.switch_view", "v", "view", "dataset"),
    Action("tui.actions.down", "j", "cursor(1)", "dataset", footer=False),
    Action("tui.actions.up", "k", "cursor(-1)", "dataset", footer=False),
    Action("tui.actions.speak_now", "ctrl+s", "speak", "speak"),
    Action("tui.actions.play", "space,f5", "play", "speak"),
    Action("tui.actions.next_page", "ctrl+n", "next_page", "speak"),
    Action("tui.actions.cancel_take", "x", "cancel_take", "speak"),
    Action("tui.actions.rerender", "e", "rerender", "speak"),
    Action("tui.actions.put_back", "u", "put_back", "speak"),
    Action("tui.actions.save_take", "s", "save_take", "speak"),
    Action("tui.actions.imitate", "i", "imitate", "speak", footer=False),
    Action("tui.actions.extra", "plus", "extra", "speak", footer=False),
    Action("tui.actions.use_own_recording", "a", "use_own_recording", "speak"),
    Action("tui.actions.record_own", "m", "record_own", "speak"),
    Action("tui.actions.trim", "t", "trim", "speak", footer=False),
    Action("tui.actions.doubtful", "b", "doubtful", "speak", footer=False),
    Action("tui.actions.name_reference", "n", "name_reference", "speak", footer=False),
    Action("tui.actions.refresh_assets", "r", "refresh_assets", "speak"),
    Action("tui.actions.copy_take", "y", "copy_take", "speak", footer=False),
    Action("tui.actions.reset_field", "ctrl+r", "reset_field", "speak", footer=False),
    Action(
        "tui.actions.next_voice", "right_square_bracket", "next_voice(1)", "speak", footer=False
    ),
    Action(
        "tui.actions.previous_voice", "left_square_bracket", "next_voice(-1)", "speak", footer=False
    ),
    Action("tui.actions.down", "j", "cursor(1)", "speak", footer=False),
    Action("tui.actions.up", "k", "cursor(-1)", "speak", footer=False),
    Action("tui.actions.new_audition", "ctrl+s", "start", "audition"),
    Action("tui.actions.play", "space,f5", "play", "audition"),
    Action("tui.actions.vote", "v", "vote", "audition"),
    Action("tui.actions.choose_pair", "enter", "choose", "audition"),
    Action("tui.actions.play_truth", "t", "play_beside('truth')", "audition"),
    Action("tui.actions.play_base", "b", "play_beside('base')", "audition"),
    Action("tui.actions.next_page", "ctrl+n", "next_page", "audition"),
    Action("tui.actions.cancel_audition", "x", "cancel_audition", "audition"),
    Action("tui.actions.recall", "r", "recall", "audition"),
    Action("tui.actions.next_voice", "right_square_bracket", "next_voice(1)", "audition", False),
    Action(
        "tui.actions.previous_voice", "left_square_bracket", "next_voice(-1)", "audition", False
    ),
    Action("tui.actions.down", "j", "cursor(1)", "audition", footer=False),
    Action("tui.actions.up", "k", "cursor(-1)", "audition", footer=False),
    Action("tui.actions.follow", "f", "follow", "logs"),
    Action("tui.actions.find", "slash", "find", "logs"),
    Action("tui.actions.find_next", "n", "find_next(1)", "logs"),
    Action("tui.actions.find_previous", "N", "find_next(-1)", "logs", footer=False),
    Action("tui.actions.top", "g,home", "top", "logs", footer=False),
    Action("tui.actions.bottom", "G,end", "bottom", "logs", footer=False),
    Action("tui.actions.scroll_down", "j", "scroll(1)", "logs", footer=False),
    Action("tui.actions.scroll_up", "k", "scroll(-1)", "logs", footer=False),
    Action("tui.actions.copy_log", "y", "copy", "logs", footer=False),
    Action("tui.actions.apply_deploy", "ctrl+s", "apply", "deploy", risky=True),
    Action("tui.actions.fetch_weights", "f8", "fetch_weights", "deploy"),
    Action("tui.actions.plan_again", "r", "plan", "deploy"),
    Action("tui.actions.back", "q,escape", "back", "deploy"),
    Action("tui.actions.rent_order", "ctrl+s", "order", "rent", risky=True),
    Action("tui.actions.rent_end", "e", "toggle_end", "rent"),
    Action("tui.actions.next_voice", "right_square_bracket", "next_voice(1)", "rent", footer=False),
    Action(
        "tui.actions.previous_voice", "left_square_bracket", "next_voice(-1)", "rent", footer=False
    ),
    Action("tui.actions.rent_key", "p", "provider_key", "rent"),
    Action("tui.actions.rent_resume", "c", "resume", "rent"),
    Action("tui.actions.rent_stop", "ctrl+x", "stop", "rent", risky=True),
    Action("tui.actions.rent_destroy", "delete", "destroy", "rent", risky=True),
    Action("tui.actions.rent_view", "v", "view", "rent"),
    Action("tui.actions.rent_refresh", "r", "refresh_rent", "rent"),
    Action("tui.actions.down", "j", "cursor(1)", "rent", footer=False),
    Action("tui.actions.up", "k", "cursor(-1)", "rent", footer=False),
    Action("tui.actions.back", "q,escape", "back", "rent"),
    Action("tui.actions.tick", "space", "tick", "disk"),
    Action("tui.actions.tick_safe", "s", "tick_safe", "disk"),
    Action("tui.actions.remove_ticked", "delete", "remove", "disk", risky=True),
    Action("tui.actions.list_disk", "r", "list_disk", "disk"),
    Action("tui.actions.back", "q,escape", "back", "disk"),
    Action("tui.actions.down", "j", "cursor(1)", "disk", footer=False),
    Action("tui.actions.up", "k", "cursor(-1)", "disk", footer=False),
    Action("tui.actions.leave_field", "escape", "leave_field", "screen"),
    Action("tui.actions.enter_field", "tab", "enter_field", "screen"),
    *WIDGET_ACTIONS,
)

ACTIONS_BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}


def bindings(scope: str) -> list[BindingType]:
    """The bindings of one scope; ids are what a keymap renames."""
    return [
        Binding(
            action.keys,
            action.textual_action,
            action.title.en,
            id=action.id,
            show=action.footer,
            tooltip=action.help.en,
        )
        for action in ACTIONS
        if action.scope == scope
    ]


def leaving_binding() -> Binding:
    """The way out for a dialog, which Textual gives none of the dashboard's own keys."""
    action = ACTIONS_BY_ID["app.quit"]
    return Binding(action.keys, action.textual_action, action.title.en, show=False, id=action.id)


def actions_in_scope(scope: str) -> tuple[Action, ...]:
    """The actions of one scope, in the order of the table."""
    return tuple(action for action in ACTIONS if action.scope == scope)
