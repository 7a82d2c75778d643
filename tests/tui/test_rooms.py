"""The rooms of the dashboard: who may import whom, and what start-up must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PURE = [
    *sorted((ROOT / "tui/state").glob("*.py")),
    ROOT / "tui/services/protocols.py", ROOT / "tui/services/fakes.py",
    ROOT / "tui/services/speech.py", ROOT / "tui/services/fake_speech.py", ROOT / "tui/settings.py",
]  # fmt: skip
DRAWING = sorted((ROOT / "tui/widgets").glob("*.py")) + sorted((ROOT / "tui/screens").glob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", PURE, ids=lambda p: p.name)
def test_state_and_services_know_no_screen(path: Path) -> None:
    stray = [name for name in imported(path) if name.split(".")[0] in ("textual", "rich")]
    assert stray == []


@pytest.mark.parametrize("path", DRAWING, ids=lambda p: p.name)
def test_what_draws_does_no_io(path: Path) -> None:
    forbidden = ("tui.services", "tui.controller", "tui.jobs", "remote", "socket", "subprocess")
    stray = [n for n in imported(path) if n.startswith(forbidden)]
    assert [n for n in stray if n != "tui.services.protocols"] == []


def test_the_dashboard_starts_without_numpy_or_torch() -> None:
    program = (
        "import sys, tui.app, tui.screens.servers, tui.services.fakes;"
        "bad = {'numpy', 'torch', 'paramiko', 'pyperclip'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
