"""The layers of the dashboard: who may import whom, and what start-up must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PURE = [
    *sorted((ROOT / "tui/state").glob("*.py")),
    ROOT / "tui/services/protocols.py",
    ROOT / "tui/services/fakes/services.py",
    ROOT / "tui/services/fakes/speech.py",
    ROOT / "tui/shell/settings.py",
]
DRAWING = sorted((ROOT / "tui/widgets").glob("*.py")) + sorted((ROOT / "tui/screens").rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_state_and_services_know_no_screen() -> None:
    for path in PURE:
        stray = [name for name in imported(path) if name.split(".")[0] in ("textual", "rich")]
        assert stray == [], path


def test_what_draws_does_no_io() -> None:
    forbidden = (
        "sovdeck.tui.services",
        "sovdeck.tui.dashboard",
        "sovdeck.remote",
        "socket",
        "subprocess",
    )
    for path in DRAWING:
        stray = [name for name in imported(path) if name.startswith(forbidden)]
        assert [n for n in stray if n != "sovdeck.tui.services.protocols"] == [], path


def test_the_dashboard_starts_without_numpy_or_torch() -> None:
    program = (
        "import sys; from sovdeck.tui.dashboard import app;"
        "from sovdeck.tui.screens import servers;"
        "from sovdeck.tui.services.fakes import services;"
        "bad = {'numpy', 'torch', 'paramiko', 'pyperclip'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
