"""Builds what would be published, installs it as a stranger would, uses it: `make release-check`.

    python dev/release_check.py [--no-demo]

Version: engine/__init__.py has it, CHANGELOG.md explains it, and a tag on this commit has to be it.
Laptop: the wheel goes into a fresh environment of each supported Python on this machine; it has to
bring no torch and stay below 120 MB, and its dashboard is walked through by keys. Demo: run from
the wheel, in a folder of its own; the engine's packages alone are borrowed from .venv, which has
them already.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "build" / "release"
PYTHONS = ("3.11", "3.12", "3.13")
MAX_BYTES = 120 * 1000 * 1000
DEMO_LIMIT_S = 1500
WALK = ROOT / "dev" / "dashboard_check.py"
# An installed program must not find this checkout.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(
    *argv: str | Path,
    cwd: Path = ROOT,
    limit_s: float = 600,
    settings: dict[str, str] | None = None,
) -> str:
    """Run a program and return what it printed; on failure say what it was and leave."""
    words = [str(word) for word in argv]
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**ENVIRONMENT, **(settings or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=limit_s,
    )
    if done.returncode:
        sys.exit(f"FAILED ({done.returncode}): {' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


def check_version() -> str:
    """The version, which the changelog and a tag on this commit have to agree with."""
    source = (ROOT / "engine" / "__init__.py").read_text(encoding="utf-8")
    version = re.findall(r'^__version__ = "(.+)"$', source, re.MULTILINE)[0]
    if f"\n## {version}" not in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"):
        sys.exit(f"CHANGELOG.md has no section for {version}")
    tags = run("git", "tag", "--points-at", "HEAD", "--list", "v*").split()
    if tags and f"v{version}" not in tags:
        sys.exit(f"this commit is tagged {tags}, engine/__init__.py says {version}")
    print(f"version {version}; tag on this commit: {', '.join(tags) or 'none'}")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if not project.get("urls"):
        print("no project URLs: name the repository in [project.urls] before this is published")
    return str(version)


def build(version: str) -> Path:
    """The wheel, built from the sdist as an index's users would."""
    shutil.rmtree(OUT, ignore_errors=True)
    run("uv", "build", "--quiet", "--out-dir", OUT)
    wheel, sdist = OUT / f"sovdeck-{version}-py3-none-any.whl", OUT / f"sovdeck-{version}.tar.gz"
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    lacking = {"LICENSE", "README.md", "CHANGELOG.md", "tests/conftest.py", "docs/start.md"} - names
    if lacking:
        sys.exit(f"the sdist lacks {sorted(lacking)}")
    files = zipfile.ZipFile(wheel).namelist()
    print(f"{wheel.name}: {len(files)} files, {wheel.stat().st_size / 1e6:.1f} MB")
    return wheel


def install(wheel: Path, python: str) -> Path | None:
    """An environment with the wheel alone; None where this machine lacks that Python."""
    folder = OUT / f"env-{python}"
    options = ["--quiet", "--no-python-downloads", "--python", python]
    made = subprocess.run(
        ["uv", "venv", *options, str(folder)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        print(f"Python {python}: not on this machine, not tried")
        return None
    run("uv", "pip", "install", "--quiet", "--python", folder, wheel)
    program = next(folder.glob("*/sovdeck*"))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    listed = run("uv", "pip", "list", "--python", folder, "--format", "json")
    packages = {one["name"] for one in json.loads(listed)}
    print(f"Python {python}: {len(packages)} packages, {size / 1e6:.0f} MB")
    if "torch" in packages or size > MAX_BYTES:
        sys.exit(f"the laptop's install must have no torch and at most {MAX_BYTES / 1e6:.0f} MB")
    for words in ("--version", "params sovits.epochs", "help start", "config check"):
        run(program, *words.split(), cwd=OUT)
    home = {"SOVDECK_HOME": str(OUT / f"home-{python}")}
    run(program.with_name(f"python{program.suffix}"), WALK, cwd=OUT, settings=home)
    return folder


def demo(environment: Path) -> None:
    """The whole trip without a screen, from the wheel."""
    site = next(environment.glob("lib/*/site-packages"))
    (site / "engine_packages_beside.pth").write_text(sysconfig.get_path("purelib"))
    folder = OUT / "demo"
    folder.mkdir()
    where = "import sovdeck.engine as package; print(package.__file__)"
    if not run(environment / "bin" / "python", "-c", where, cwd=folder).startswith(str(site)):
        sys.exit("the demo would not run the wheel")
    program = environment / "bin" / "sovdeck"
    said = run(program, "demo", "--headless", "--json", cwd=folder, limit_s=DEMO_LIMIT_S)
    last = json.loads(said.splitlines()[-1])
    print(f"demo from the wheel: {json.dumps(last)}")


def main() -> None:
    """Check everything; leaves with the first thing that is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--no-demo", action="store_true", help="leave out the minutes of the demo")
    arguments = parser.parse_args()
    wheel = build(check_version())
    environments = [made for python in PYTHONS if (made := install(wheel, python))]
    if not environments:
        sys.exit("none of the supported Pythons is on this machine")
    if not arguments.no_demo:
        demo(environments[0])
    print("ready to be released")


if __name__ == "__main__":
    main()
