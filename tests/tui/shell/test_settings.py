"""Settings: round trip, faults named with file and value, language from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.shell.settings import (
    SETTING_CHOICES,
    DashboardSettings,
    load_settings,
    resolve_language,
    save_settings,
)
from sovdeck.tui.shell.theme import THEME_NAMES

SETTINGS = st.builds(
    DashboardSettings,
    language=st.sampled_from(SETTING_CHOICES["language"]),
    theme=st.sampled_from(("", *THEME_NAMES)),
    marker=st.sampled_from(SETTING_CHOICES["marker"]),
    notify=st.sampled_from(SETTING_CHOICES["notify"]),
    smoothing=st.floats(0, 0.99),
    log_scale=st.booleans(),
    read_only=st.booleans(),
    dataset=st.text(st.characters(codec="utf-8")),
    recipes=st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1),
        st.fixed_dictionaries(
            {}, optional={"gpt.epochs": st.integers(2, 100), "gpt.dpo": st.booleans()}
        ),
    ),
    tables=st.dictionaries(
        st.sampled_from(["servers", "voices"]),
        st.fixed_dictionaries(
            {}, optional={"sort": st.text(max_size=5), "hidden": st.lists(st.text(max_size=5))}
        ),
    ),
    keys=st.dictionaries(
        st.sampled_from(["monitor.smoothing", "app.quit"]), st.text(st.characters(codec="utf-8"))
    ),
)


@given(SETTINGS)
def test_what_is_saved_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, settings: DashboardSettings
) -> None:
    path = tmp_path_factory.mktemp("settings") / "deep" / "screen.toml"
    save_settings(path, settings)
    assert load_settings(path) == settings
    assert [one.name for one in path.parent.iterdir()] == ["screen.toml"]


def test_no_file_means_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "none.toml") == DashboardSettings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("language = 'fr'", "fr"),
        ("smoothing = 1.5", "1.5"),
        ("smoothing = true", "True"),
        ("read_only = 1", "1"),
        ("colour = 'red'", "colour"),
        ("keys = 'x'", "keys"),
        ("theme = 3", "3"),
        ("[recipes.a]\n'gpt.epochs' = 900", "900"),
        ("recipes.a = 3", "a"),
        ("[keys]\n'app.quit' = 3", "app.quit"),
        ("tables.servers = 3", "servers"),
        ("[tables.servers]\nsort = 3", "servers"),
        ("[tables.servers]\nwidth = 'x'", "servers"),
        ("[tables.servers]\nhidden = 'disk'", "servers"),
        ("[recipes.a]\nnone = 1", "none"),
        ("language =", "TOML"),
    ],
)
def test_a_fault_is_named_with_its_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "screen.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Problem) as caught:
        load_settings(path)
    assert said in caught.value.sentence() and str(path) in caught.value.sentence()


@pytest.mark.parametrize(
    ("chosen", "environ", "expected"),
    [
        ("auto", {}, "en"),
        ("auto", {"LANG": "zh_CN.UTF-8"}, "zh"),
        ("auto", {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ("auto", {"SOVDECK_LANG": "zh", "LANG": "de_DE"}, "zh"),
        ("en", {"LANG": "zh_CN"}, "en"),
    ],
)
def test_language(chosen: str, environ: dict[str, str], expected: str) -> None:
    assert resolve_language(chosen, environ) == expected
