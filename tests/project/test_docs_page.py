"""Pages made from tables are kept up with them; the site builds offline, with no broken link."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))

import make_deploy_toml  # noqa: E402
import make_parameters  # noqa: E402
import make_troubleshooting  # noqa: E402

from sovdeck.engine.contract.catalogue import LANGUAGES, Language  # noqa: E402
from sovdeck.engine.contract.params import PARAMS  # noqa: E402

MAKERS = (make_deploy_toml, make_parameters, make_troubleshooting)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_a_made_page_is_up_to_date(maker, language: Language) -> None:
    assert maker.PAGES[language].read_text(encoding="utf-8") == maker.page(language), (
        "run: make docs-pages"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_parameter_is_on_its_page(language: Language) -> None:
    text = make_parameters.page(language)
    assert [name for name in PARAMS if f"`{name}`" not in text] == []


def test_every_key_of_deploy_toml_is_explained_in_chinese() -> None:
    keys = {
        f"{table}.{key}" if table else key
        for table, properties in make_deploy_toml.sections()
        for key in properties
    }
    assert keys == set(make_deploy_toml.CHINESE), "docs/deploy_toml_zh.json"


def test_both_languages_have_the_same_pages() -> None:
    english = {path.name for path in DOCS.glob("*.md")}
    chinese = {path.name for path in (DOCS / "zh").glob("*.md")}
    assert chinese == english


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as a code host makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_repositorys_own_pages_link_to_places_that_exist() -> None:
    broken = []
    for path in (*ROOT.glob("*.md"), *(ROOT / ".github").rglob("*.md"), ROOT / "tests/README.md"):
        for target in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
            file, _, anchor = target.partition("#")
            page = path.parent / file if file else path
            if "://" in target:
                continue
            if not page.exists() or (anchor and anchor not in anchors(page)):
                broken.append(f"{path.name}: {target}")
    assert broken == []


@pytest.mark.parametrize("config", ["mkdocs.yml", "mkdocs.zh.yml"])
def test_the_site_builds_strictly(config: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    command += ["--config-file", str(ROOT / config), "--site-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "troubleshooting" / "index.html").read_text(encoding="utf-8")
    # Whatever the page itself loads lies beside it: it can be read without a network.
    loaded = re.findall(r'<(?:link|script|img)[^>]+(?:href|src)="(https?://[^"]+)"', page)
    assert loaded == []
