"""The house has one direction: tui -> remote -> engine.contract; see docs/architecture.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES_OF_THE_SERVER = {"torch", "torchaudio", "transformers", "soundfile", "pyopenjtalk"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every dotted name a file imports, at the top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return names


def offences(package: str, forbidden: tuple[str, ...], allowed: tuple[str, ...] = ()) -> list[str]:
    found = []
    for path in modules(package):
        for name in sorted(imports(path)):
            hit = any(name == f or name.startswith(f + ".") for f in forbidden)
            fine = any(name == a or name.startswith(a + ".") for a in allowed)
            if hit and not fine:
                found.append(f"{path.relative_to(ROOT)} imports {name}")
    return found


def test_every_package_has_modules_to_check() -> None:
    assert len(modules("engine/contract")) >= 8
    assert modules("engine")


def test_engine_knows_nothing_of_laptop() -> None:
    assert offences("engine", ("remote", "tui", "fabric", "paramiko", "textual")) == []


def test_contract_is_standard_library_and_itself() -> None:
    stray = []
    for path in modules("engine/contract"):
        for name in imports(path):
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and not name.startswith("engine.contract"):
                stray.append(f"{path.name} imports {name}")
    assert stray == []


def test_models_do_no_io() -> None:
    forbidden = ("pathlib", "os", "io", "json", "subprocess", "socket", "shutil", "tempfile")
    allowed_packages = ("engine.models",)
    stray = offences("engine/models", forbidden) if (ROOT / "engine/models").exists() else []
    # Frozen encoders are loaded from a folder the caller names, by transformers.
    assert [s for s in stray if "models/frozen" not in s] == []
    for path in modules("engine/models"):
        ours = [n for n in imports(path) if n.startswith("engine.")]
        # Only what loads files may have to tell a person that one is missing.
        extra = ("engine.contract",) if path.parent.name == "frozen" else ()
        assert [n for n in ours if not n.startswith(allowed_packages + extra)] == [], path


def test_remote_uses_only_the_contract_of_the_engine() -> None:
    assert offences("remote", ("engine", "tui", "textual"), allowed=("engine.contract",)) == []


def test_only_link_imports_the_ssh_library() -> None:
    found = offences("remote", ("fabric", "paramiko", "invoke")) + offences(
        "tui", ("fabric", "paramiko", "invoke")
    )
    assert [f for f in found if not f.startswith("remote/link.py")] == []


def test_laptop_never_imports_torch() -> None:
    libraries = tuple(LIBRARIES_OF_THE_SERVER)
    assert offences("tui", libraries) + offences("remote", libraries) == []


@pytest.mark.parametrize("package", ["engine", "remote", "tui"])
def test_no_circular_imports(package: str) -> None:
    graph: dict[str, set[str]] = {}
    names = {
        ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p
        for p in modules(package)
    }
    for name, path in names.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        graph[name] = set()
        for node in ast.walk(tree):  # also those for types alone and inside functions
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    graph[name].add(full if full in names else node.module)
            elif isinstance(node, ast.Import):
                graph[name].update(alias.name for alias in node.names)
        graph[name] = {n for n in graph[name] if n in names and n != name}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"circular: {' -> '.join((*trail, name))}"
        if name not in done:
            for other in graph[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_contract_starts_without_the_server_libraries() -> None:
    program = (
        "import sys, engine.contract.params, engine.contract.fold, engine.contract.spec;"
        "bad = {'torch', 'numpy', 'pydantic', 'textual'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
