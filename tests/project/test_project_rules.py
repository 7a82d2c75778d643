"""Rules of the house that a machine can hold."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    p for package in ("engine", "remote", "tui") for p in (ROOT / package).rglob("*.py")
)


def test_files_are_small_and_speak_for_themselves() -> None:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 600, f"{path}: one idea a file"
        assert path.stem not in ("utils", "helpers", "common", "manager", "misc"), path
        if text.strip():
            assert ast.get_docstring(ast.parse(text)), f"{path}: a module says what it is for"


# What Textual calls by its name needs no words of ours.
HOOKS = re.compile(
    r"^(on|action|watch|validate|compute|key|check|get|render|handle)_|^(compose|render)$"
)


def test_nine_of_ten_methods_of_the_dashboard_say_what_they_do() -> None:
    said, silent = 0, []
    for path in (p for p in SOURCES if p.is_relative_to(ROOT / "tui")):
        for owner in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(owner, ast.ClassDef) or owner.name.startswith("_"):
                continue
            for node in owner.body:
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not (
                    node.name.startswith("_") or HOOKS.match(node.name)
                ):
                    if ast.get_docstring(node):
                        said += 1
                    else:
                        silent.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert said / (said + len(silent)) >= 0.9, silent


def test_few_modules_lie_flat_in_a_package() -> None:
    for package in ("engine", "remote", "tui"):
        assert len(list((ROOT / package).glob("*.py"))) <= 8, package


def test_the_formatter_has_the_last_word() -> None:
    for path in SOURCES:
        assert "fmt: " + "skip" not in path.read_text(encoding="utf-8"), path


def test_the_engine_can_run_on_python_3_10() -> None:
    for path in SOURCES:
        if path.is_relative_to(ROOT / "engine"):
            ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))


def test_the_servers_requirements_are_the_engine_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "engine/requirements.txt").read_text(encoding="utf-8").split("\n")
    assert [line for line in lines if line] == project["optional-dependencies"]["engine"]


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.findall(r'^  "[A-Za-z][\w.-]*(?:\[[a-z]+\])?[=<>][^"]*",(.*)$', text, re.MULTILINE)
    assert len(listed) > 15
    assert [line for line in listed if not line.strip().startswith("#")] == []


def test_the_lock_names_no_index() -> None:
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        assert "://" not in line and not line.startswith("-"), line


def test_the_laptop_install_has_no_torch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert not [d for d in project["dependencies"] if d.startswith(("torch", "transformers"))]


def test_every_torch_load_is_weights_only() -> None:
    loads = 0
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                loads += 1
                said = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert said.get("weights_only") == "True", f"{path}:{node.lineno}"
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {a.name for a in node.names} | {getattr(node, "module", None)}
                assert not names & {"pickle", "dill", "cloudpickle", "marshal"}, path


# No stranger's text (the reader of Japanese, tomllib's message), or one whose float is tried.
OWN_DIGITS = {"_dictionary_entries", "_parse_toml", "_parse_price"}


def test_no_digits_but_ascii_ones_become_a_number() -> None:
    """isdigit() takes `²`, which int() does not: `parse_whole_number` reads what others wrote."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef) or node.name in OWN_DIGITS:
                continue
            calls = [one.func for one in ast.walk(node) if isinstance(one, ast.Call)]
            asked = {call.attr for call in calls if isinstance(call, ast.Attribute)}
            converts = any(isinstance(c, ast.Name) and c.id in ("int", "float") for c in calls)
            if converts and asked & {"isdigit", "isdecimal", "isnumeric"}:
                assert "isascii" in asked, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
