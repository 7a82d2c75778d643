"""The dashboard's colours: night, day, colour-blind and 16-colour themes."""

from __future__ import annotations

from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

# Chart lines in order, each with its dimmed form for the raw curve behind the smoothed one.
_NIGHT = {
    "chart-1": "#ffb454",
    "chart-1-dim": "#7a5a30",
    "chart-2": "#59c2d9",
    "chart-2-dim": "#2c5f6b",
    "chart-3": "#9ad68a",
    "chart-3-dim": "#4b6a44",
    "chart-4": "#e78ac3",
    "chart-4-dim": "#704560",
    "footer-key-foreground": "#ffb454",
    "border-blurred": "#2b3445",
    "faint": "#8691a5",
}
_DAY = {
    "chart-1": "#b35c00",
    "chart-1-dim": "#e3c19b",
    "chart-2": "#00708a",
    "chart-2-dim": "#a3cdd8",
    "chart-3": "#2f7d32",
    "chart-3-dim": "#b1d3b2",
    "chart-4": "#a3276f",
    "chart-4-dim": "#dfb3cc",
    "footer-key-foreground": "#b35c00",
    "border-blurred": "#c9cdd6",
    "faint": "#6a7080",
}
# Okabe and Ito's palette, told apart with every common colour blindness.
_CLEAR = {
    "chart-1": "#e69f00",
    "chart-1-dim": "#6e4f0a",
    "chart-2": "#56b4e9",
    "chart-2-dim": "#2b5a75",
    "chart-3": "#f0e442",
    "chart-3-dim": "#787221",
    "chart-4": "#cc79a7",
    "chart-4-dim": "#663c53",
    "footer-key-foreground": "#e69f00",
    "border-blurred": "#55595f",
    "faint": "#a8adb5",
}
_SIXTEEN = {
    "chart-1": "ansi_bright_yellow",
    "chart-1-dim": "ansi_yellow",
    "chart-2": "ansi_bright_cyan",
    "chart-2-dim": "ansi_cyan",
    "chart-3": "ansi_bright_green",
    "chart-3-dim": "ansi_green",
    "chart-4": "ansi_bright_magenta",
    "chart-4-dim": "ansi_magenta",
    "footer-key-foreground": "ansi_bright_yellow",
    "border-blurred": "ansi_bright_black",
    "faint": "ansi_default",
}

NIGHT = Theme(
    name="night",
    dark=True,
    primary="#ffb454",
    secondary="#59c2d9",
    accent="#e78ac3",
    success="#7fd18b",
    warning="#f5c34d",
    error="#ff6b62",
    foreground="#d7dce5",
    background="#0d1118",
    surface="#121823",
    panel="#1a2230",
    variables=_NIGHT,
)
DAY = Theme(
    name="day",
    dark=False,
    primary="#b35c00",
    secondary="#00708a",
    accent="#a3276f",
    success="#2f7d32",
    warning="#9a6700",
    error="#c62828",
    foreground="#20242c",
    background="#fbfaf7",
    surface="#f3f1ec",
    panel="#e8e5de",
    variables=_DAY,
)
CLEAR = Theme(
    name="clear",
    dark=True,
    primary="#e69f00",
    secondary="#56b4e9",
    accent="#cc79a7",
    success="#56b4e9",
    warning="#f0e442",
    error="#d55e00",
    foreground="#f2f2f2",
    background="#000000",
    surface="#0c0c0e",
    panel="#1c1d21",
    variables=_CLEAR,
)
_ANSI = BUILTIN_THEMES["ansi-dark"]
SIXTEEN = replace(_ANSI, name="sixteen", variables={**_ANSI.variables, **_SIXTEEN})
_ANSI_LIGHT = BUILTIN_THEMES["ansi-light"]
SIXTEEN_LIGHT = replace(
    _ANSI_LIGHT,
    name="sixteen-light",
    variables={
        **_ANSI_LIGHT.variables,
        **_SIXTEEN,
        "chart-1": "ansi_red",
        "chart-1-dim": "ansi_bright_red",
        "chart-2": "ansi_blue",
        "chart-2-dim": "ansi_bright_blue",
        "chart-3": "ansi_green",
        "chart-3-dim": "ansi_bright_green",
        "chart-4": "ansi_magenta",
        "chart-4-dim": "ansi_bright_magenta",
        "footer-key-foreground": "ansi_red",
    },
)

THEMES: tuple[Theme, ...] = (NIGHT, DAY, CLEAR, SIXTEEN, SIXTEEN_LIGHT)
THEME_NAMES: tuple[str, ...] = tuple(theme.name for theme in THEMES)
DEFAULT_VARIABLES: dict[str, str] = _NIGHT
