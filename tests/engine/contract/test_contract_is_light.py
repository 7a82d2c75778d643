"""The contract runs where nothing is installed yet: the standard library and itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_it_imports_the_standard_library_and_itself() -> None:
    for path in (ROOT / "engine" / "contract").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            for name in names:
                ours = name.startswith("sovdeck.engine.contract")
                assert ours or name.split(".")[0] in sys.stdlib_module_names, f"{path}: {name}"


def test_it_starts_without_the_server_libraries() -> None:
    program = (
        "import sys; from sovdeck.engine.contract import fold, params, spec;"
        "bad = {'torch', 'numpy', 'pydantic', 'textual'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
