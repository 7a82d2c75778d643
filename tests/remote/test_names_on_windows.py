"""Names from a server become names that Windows takes, in the folder they belong to."""

from __future__ import annotations

import ntpath
from pathlib import PureWindowsPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sovdeck.remote.filenames import fold_path, safe_name, safe_relative_path

HOME = PureWindowsPath("C:\\Users\\Anna\\voices")
# What Windows refuses in a name, by Microsoft's own page "Naming Files, Paths, and Namespaces".
REFUSED = set('<>:"/\\|?*') | {chr(code) for code in range(32)}
DEVICES = {"con", "prn", "aux", "nul"} | {
    f"{port}{n}" for port in ("com", "lpt") for n in range(10)
}
ODD = st.text(alphabet='aA.: ~$%\\/*?"<>|\x00\n\u202e\u00e4\u58f0CONnul1-', max_size=40)


def is_taken_by_windows(name: str) -> bool:
    return (
        bool(name)
        and not set(name) & REFUSED
        and not name.endswith((" ", "."))
        and name.partition(".")[0].rstrip().lower() not in DEVICES
    )


@settings(max_examples=300, deadline=None)
@given(ODD | st.text(max_size=300))
@example("CON.txt")
@example("Anna.wav:hidden")
@example("COM¹")
@example("a. . .")
def test_every_name_becomes_one_that_windows_takes(name: str) -> None:
    assert is_taken_by_windows(safe_name(name))
    assert safe_name(safe_name(name)) == safe_name(name)


@settings(max_examples=300, deadline=None)
@given(st.lists(ODD, min_size=1, max_size=4).map("/".join))
@example("C:/Windows/win.ini")
@example("//server/share/x")
@example("..\\..\\x")
@example("a/../../x")
def test_no_path_of_a_server_leaves_its_folder_under_windows_rules(raw: str) -> None:
    relative = safe_relative_path(raw)
    if relative is None:
        return
    joined = HOME.joinpath(*relative.parts)
    assert PureWindowsPath(ntpath.normpath(joined)) == joined
    assert joined.is_relative_to(HOME) and joined != HOME
    assert all(is_taken_by_windows(part) for part in relative.parts)


@pytest.mark.parametrize(("one", "other"), [("Anna.zip", "anna.ZIP"), ("ä", "a\u0308")])
def test_names_that_windows_and_macos_hold_for_one_are_one(one: str, other: str) -> None:
    assert fold_path(one) == fold_path(other)
