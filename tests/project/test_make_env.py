"""`make env` takes the small build of torch where no card would use the large one."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location("torch_index", ROOT / "dev/torch_index.py")
assert _SPEC is not None and _SPEC.loader is not None
torch_index = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(torch_index)


def choose(given: str = "", system: str = "linux", card: bool = False, reached: bool = True):
    return torch_index.choose_index(given, system, lambda: card, lambda index: reached)


def test_the_small_build_is_for_computers_without_a_card() -> None:
    assert choose()[0] == torch_index.CPU_INDEX and "200 MB" in choose()[1]
    assert choose(card=True) == ("", "") and choose(system="darwin") == ("", "")
    assert choose(given="https://mine/simple", card=True)[0] == "https://mine/simple"


def test_an_index_that_cannot_be_reached_is_said_and_left() -> None:
    index, why = choose(reached=False)
    assert index == "" and "plain index" in why
    assert not torch_index.can_reach("http://127.0.0.1:9")


def test_make_uses_it() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "$(PY) dev/torch_index.py" in recipe
    given = {"TORCH_INDEX": "https://mine/simple", "PATH": "/usr/bin:/bin"}
    printed = subprocess.run(
        [sys.executable, ROOT / "dev/torch_index.py"],
        env=given,
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.strip() == "https://mine/simple" and "mine" in printed.stderr
