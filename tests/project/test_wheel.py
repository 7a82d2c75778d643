"""The wheel: one package called sovdeck, beside which other people's `tui` and `engine` may lie."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout. hatchling is among the tests' own tools: nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    program = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    built = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return folder / built.stdout.split()[-1]


def test_it_holds_one_package_and_nothing_of_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"sovdeck"}
    assert "sovdeck/py.typed" in names and "sovdeck/engine/requirements.txt" in names
    assert "sovdeck/tui/styles/app.tcss" in names and "sovdeck/remote/agent/probe.sh" in names
    assert "sovdeck/docs/start.md" in names and "sovdeck/docs/zh/start.md" in names
    assert not [name for name in names if name.endswith(".svg") or "docs/make_" in name]
    assert not [name for name in names if "fake" in name or "/tests/" in name or "test_" in name]


def test_it_runs_beside_foreign_packages_of_our_folders_names(wheel: Path, tmp_path: Path) -> None:
    site, strange = tmp_path / "site", tmp_path / "strange"
    zipfile.ZipFile(wheel).extractall(site)
    for name in ("tui", "remote", "engine"):
        (strange / name).mkdir(parents=True)
        (strange / name / "__init__.py").write_text("raise SystemExit('a foreign package ran')\n")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{strange}{os.pathsep}{site}",
        "SOVDECK_HOME": str(tmp_path),
        "SOVDECK_LANG": "en",
    }
    for words, said in (
        (["params", "sovits.epochs"], "sovits.epochs"),
        (["help", "start"], "The first ten minutes"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "sovdeck.tui", *words],
            cwd=strange,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 and said in done.stdout, done.stderr
    where = subprocess.run(
        [sys.executable, "-c", "import sovdeck.tui as package; print(package.__file__)"],
        cwd=strange,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(site))


def test_what_is_deployed_from_the_wheel_is_what_a_checkout_deploys(
    wheel: Path, tmp_path: Path
) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = (
        "from sovdeck.remote.agent.code_archive import build_code_archive as build;"
        "print(build().sha)"
    )
    shas = []
    for path in (tmp_path, ROOT / "dev"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(path)},
            check=True,
        )
        shas.append(done.stdout.strip())
    assert shas[0] == shas[1]
