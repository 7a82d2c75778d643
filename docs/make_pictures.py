"""Writes docs/pictures/*.svg from the running dashboard on made-up servers: `make docs`."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from tui.app import SovdeckApp
from tui.services.fakes import fake_services
from tui.settings import Settings

FOLDER = Path(__file__).resolve().parent / "pictures"
SIZE = (140, 40)
_FONT_FACE = re.compile(r"@font-face\s*\{.*?\}", re.DOTALL)
# The keys that bring a room to what is worth showing.
ROOMS: dict[str, tuple[str, ...]] = {
    "servers": (), "monitor": (), "voices": (), "train": (),
    "speak": ("escape", "right_square_bracket"), "audition": ("right_square_bracket",),
}  # fmt: skip


async def picture(room: str, keys: tuple[str, ...]) -> str:
    """The SVG of one room, once its made-up servers have told all they know."""
    app = SovdeckApp(fake_services(), settings=Settings(language="en", theme="night"), start=room)
    async with app.run_test(size=SIZE) as pilot:
        for _ in range(20):
            await pilot.pause(0.1)
        await pilot.press(*keys)
        for _ in range(10):
            await pilot.pause(0.1)
        drawn = app.export_screenshot(title=f"sovdeck · {room}")
    # The exporter asks a font server for its typeface; the reader's own monospace will do.
    return _FONT_FACE.sub("", drawn)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for room, keys in ROOMS.items():
        (FOLDER / f"{room}.svg").write_text(asyncio.run(picture(room, keys)), encoding="utf-8")


if __name__ == "__main__":
    main()
