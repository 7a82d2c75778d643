"""The page for real: what it refuses over HTTP, and what a browser makes of it."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from chromium import Tab, with_tab
from conftest import Page, free_port, open_page

BROWSER = next((p for n in ("chromium", "chromium-browser") if (p := shutil.which(n))), None)


def _status(url: str, **headers: str) -> tuple[int, str]:
    async def ask() -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as http,
            http.get(url, headers=headers, allow_redirects=False) as answer,
        ):
            return answer.status, await answer.text()

    return asyncio.run(ask())


def test_without_the_token_nothing_is_shown(page: Page) -> None:
    for path in ("/", "/ws", "/static/js/textual.js", "/page/page.css", "/?token=guess"):
        status, words = _status(page.origin + path)
        assert status == 403, path
        assert "token" in words


def test_a_rebound_name_and_a_foreign_page_are_refused(page: Page) -> None:
    token = page.address.partition("token=")[2]
    cookie = f"sovdeck_web={token}"
    assert _status(page.address, Host=f"evil.example:{page.port}")[0] == 403
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Cookie": cookie}
    assert _status(page.origin + "/ws", Origin="http://evil.example", **upgrade)[0] == 403
    assert _status(page.origin + "/ws", **upgrade)[0] == 403
    assert _status(page.origin + "/", Cookie=cookie)[0] == 200


def test_the_token_leaves_the_address_at_once(page: Page) -> None:
    async def visit() -> None:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as http, http.get(page.address) as answer:
            assert str(answer.url) == page.origin + "/"
            assert answer.history[0].cookies["sovdeck_web"]["httponly"]
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert "http" not in (await answer.text()).replace(page.origin, "").replace("ws://", "")

    asyncio.run(visit())


def test_a_taken_port_is_one_sentence(page: Page, tmp_path: Path) -> None:
    second = open_page(tmp_path, page.port)
    out, err = second.communicate(timeout=120)
    assert second.returncode == 2
    assert f"127.0.0.1:{page.port} cannot be used" in json.loads(out)["message"]["en"]
    assert "Traceback" not in err


def test_interrupting_ends_the_page_and_its_dashboards(tmp_path: Path) -> None:
    process = open_page(tmp_path, free_port())
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())

    async def watch() -> None:
        jar = aiohttp.CookieJar(unsafe=True)
        origin = told["address"].partition("/?")[0]
        async with aiohttp.ClientSession(cookie_jar=jar) as http:
            await (await http.get(told["address"])).read()
            async with http.ws_connect(origin + "/ws", origin=origin) as socket:
                screen = b""
                while b"Servers" not in screen:
                    screen += (await socket.receive_bytes(timeout=120)) or b""
                process.send_signal(signal.SIGINT)
                while not (await socket.receive(timeout=120)).type.name.startswith("CLOS"):
                    pass

    asyncio.run(watch())
    assert process.wait(timeout=60) == 0


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")
def test_a_browser_shows_the_dashboard_and_asks_nobody_else(page: Page, tmp_path: Path) -> None:
    async def use(tab: Tab) -> None:
        await tab.call("Page.navigate", url=page.address)
        await tab.until(lambda: "Servers" in tab.screen)
        await tab.evaluate("document.fonts.load(\"16px 'Roboto Mono'\").then(() => true)")
        assert await tab.evaluate("location.href") == page.origin + "/"
        assert await tab.evaluate("document.querySelector('canvas').width > 300")
        assert any(url.endswith(".ttf") for url in tab.requests)
        before = len(tab.screen)
        await tab.press("?")
        await tab.until(lambda: len(tab.screen) > before + 200)
        asked = {urlsplit(url).netloc for url in tab.requests if not url.startswith("data:")}
        assert asked == {urlsplit(page.origin).netloc}

    assert BROWSER is not None
    asyncio.run(with_tab(BROWSER, tmp_path / "profile", use))
