"""Writes pictures of the running dashboard on made-up servers: `make docs`.

docs/pictures/*.svg in English, one of them light as well, and docs/zh/pictures/*.svg in Chinese.
"""

from __future__ import annotations

import asyncio
import re
from html import unescape
from pathlib import Path

from rich.cells import cell_len

from sovdeck.engine.contract.catalogue import Language
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.services.fakes.services import fake_services
from sovdeck.tui.shell.settings import DashboardSettings

DOCS = Path(__file__).resolve().parent
SIZE = (140, 40)
_CELL_PX = 12.2  # the exporter's width of a cell
_NO_LIGATURES = "font-variant-ligatures: none;"
_TEXT = re.compile(r'(<text class="[^"]*-r\d+"[^>]*textLength=")[\d.]+("[^>]*>)([^<]*)')
_FONT_FACE = re.compile(r"@font-face\s*\{.*?\}", re.DOTALL)
# The keys that bring a screen to what is worth showing.
SCREENS: dict[str, tuple[str, ...]] = {
    "servers": (),
    "monitor": (),
    "voices": (),
    "train": (),
    "speak": ("escape", "right_square_bracket"),
    "audition": ("right_square_bracket",),
}


# File below docs/, screen, language and theme of each picture.
PICTURES: tuple[tuple[str, str, Language, str], ...] = (
    *((f"pictures/{screen}.svg", screen, "en", "night") for screen in SCREENS),
    ("pictures/monitor-light.svg", "monitor", "en", "day"),
    *((f"zh/pictures/{screen}.svg", screen, "zh", "night") for screen in ("monitor", "train")),
)


async def picture(screen: str, language: Language, theme: str) -> str:
    """The SVG of one screen, once its made-up servers have told all they know."""
    settings = DashboardSettings(language=language, theme=theme)
    app = SovdeckApp(fake_services(), settings=settings, start=screen)
    async with app.run_test(size=SIZE) as pilot:
        for _ in range(20):
            await pilot.pause(0.1)
        await pilot.press(*SCREENS[screen])
        for _ in range(10):
            await pilot.pause(0.1)
        drawn = app.export_screenshot(title=f"sovdeck · {screen}")
    return correct_svg(drawn)


def correct_svg(drawn: str) -> str:
    """The exporter's SVG, as a browser has to get it to draw what a terminal shows."""
    # The exporter asks a font server for its typeface; the reader's own monospace will do. One
    # that joins letters ("->" to an arrow) would no longer be as wide as its cells.
    drawn = _FONT_FACE.sub("", drawn)
    drawn = drawn.replace("font-size: 20px;", "font-size: 20px;\n        " + _NO_LIGATURES, 1)
    # It counts characters, of which a Chinese one is two cells wide.
    return _TEXT.sub(lambda found: f"{found[1]}{_width(found[3]):g}{found[2]}{found[3]}", drawn)


def _width(text: str) -> float:
    return round(cell_len(unescape(text)) * _CELL_PX, 1)


def main() -> None:
    for name, screen, language, theme in PICTURES:
        path = DOCS / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(asyncio.run(picture(screen, language, theme)), encoding="utf-8")


if __name__ == "__main__":
    main()
