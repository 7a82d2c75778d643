"""Every `make` target that a page, the gate, a hook or a workflow names is there and listed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
# In backticks, at the beginning of a line of code, or as the command of a hook or a job.
NAMED = re.compile(r"(?:`|^ *|^export .*; |: )make ([a-z][a-z-]+)", re.MULTILINE)
PLACES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / ".github").rglob("*.*"),
    *(ROOT / name for name in (".ci/run", ".pre-commit-config.yaml", "tests/README.md")),
]


def test_every_target_that_is_named_is_there() -> None:
    named = {
        (path.name, target)
        for path in PLACES
        for target in NAMED.findall(path.read_text(encoding="utf-8"))
    }
    assert len({target for _, target in named}) > 10
    assert {(page, target) for page, target in named if target not in TARGETS} == set()


def test_make_alone_lists_every_target() -> None:
    done = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True)
    listed = set(re.findall(r"^  make ([a-z-]+) ", done.stdout, re.MULTILINE))
    phony = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    assert listed == TARGETS == {word for line in phony for word in re.findall(r"[a-z-]+", line)}


def test_workflows_read_only_and_end() -> None:
    for path in (ROOT / ".github" / "workflows").iterdir():
        text = path.read_text(encoding="utf-8")
        workflow = yaml.safe_load(text)
        assert workflow["permissions"] == {"contents": "read"} and "secrets." not in text
        for job in workflow["jobs"].values():
            assert job["timeout-minutes"] <= 60
            for step in job["steps"]:
                for word in step.get("run", "").split():
                    if "/" in word:
                        assert (ROOT / word).exists(), word
