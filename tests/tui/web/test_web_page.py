"""The page for real: what it refuses over HTTP, and what a browser makes of it."""

from __future__ import annotations

import asyncio
import contextlib
import http.cookies
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import psutil
import pytest
from chromium import Tab, with_tab
from web_page import ROOT, Page, open_page

BROWSER = next((p for n in ("chromium", "chromium-browser") if (p := shutil.which(n))), None)


def _status(url: str, **headers: str) -> tuple[int, str]:
    async def ask() -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as client,
            client.get(url, headers=headers, allow_redirects=False) as answer,
        ):
            return answer.status, await answer.text()

    return asyncio.run(ask())


def test_without_the_token_nothing_is_shown(page: Page) -> None:
    for path in ("/", "/ws", "/static/js/textual.js", "/page/page.css", "/?token=guess"):
        status, words = _status(page.origin + path)
        assert status == 403, path
        assert "token" in words


def _enter(page: Page) -> tuple[str, http.cookies.Morsel[str]]:
    """Where a first visit is sent, and the cookie that it brings."""

    async def ask() -> tuple[str, http.cookies.Morsel[str]]:
        async with (
            aiohttp.ClientSession() as client,
            client.get(page.address, allow_redirects=False) as answer,
        ):
            (cookie,) = answer.cookies.values()
            return page.origin + answer.headers["Location"], cookie

    return asyncio.run(ask())


def test_a_rebound_name_and_a_foreign_page_are_refused(page: Page) -> None:
    inside, morsel = _enter(page)
    cookie = f"{morsel.key}={morsel.value}"
    assert _status(page.address, Host=f"evil.example:{page.port}")[0] == 403
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Cookie": cookie}
    assert _status(inside + "ws", Origin="http://evil.example", **upgrade)[0] == 403
    assert _status(inside + "ws", **upgrade)[0] == 403
    assert _status(inside, Cookie=cookie)[0] == 200


def test_no_other_port_of_this_address_is_sent_the_cookie(page: Page) -> None:
    """What `forward` brings here from a server is asked for other paths."""
    inside, morsel = _enter(page)
    assert inside == page.origin + morsel["path"] and len(morsel["path"]) > 12
    assert str(page.port) in morsel.key and morsel["httponly"] and morsel["samesite"] == "Strict"
    token = page.address.partition("token=")[2]
    assert token not in (morsel.value, morsel["path"])


def test_an_odd_request_is_refused_and_harms_nobody(page: Page) -> None:
    inside, morsel = _enter(page)
    with socket.create_connection(("127.0.0.1", page.port), timeout=30) as raw:
        head = f"GET {morsel['path']} HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n"
        raw.sendall(head.encode() + b"Cookie: " + morsel.key.encode() + b"=\xff\xfe\r\n\r\n")
        assert b" 403 " in raw.recv(65536).splitlines()[0]
    assert _status(inside, Cookie="a" * 20_000)[0] == 400
    assert _status(inside, Cookie=f"{morsel.key}={morsel.value}")[0] == 200


def test_a_cookie_that_another_port_set_neither_enters_nor_locks_out(page: Page) -> None:
    """Cookies know no ports: a forwarded page may set one of our name for the whole address."""
    inside, morsel = _enter(page)
    ours, theirs = f"{morsel.key}={morsel.value}", f"{morsel.key}=theirs"
    for cookies in (f"{ours}; {theirs}", f"{theirs}; {ours}"):
        assert _status(inside, Cookie=cookies)[0] == 200
    assert _status(inside, Cookie=f"{theirs}; {theirs}")[0] == 403


def _answer(port: int, request: bytes) -> bytes:
    """The first line of the answer to raw bytes; b"" when the line is closed without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as raw:
        with contextlib.suppress(ConnectionError):  # closed before all of it was read
            raw.sendall(request)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while b"\n" not in answer and (piece := raw.recv(65536)):
                answer += piece
    return answer.partition(b"\r\n")[0]


@pytest.fixture
def own_page(tmp_path: Path) -> Iterator[Page]:
    """A page of this test alone, which may end it."""
    process = open_page(tmp_path)
    try:
        assert process.stdout is not None
        yield Page(json.loads(process.stdout.readline())["address"], process)
    finally:
        process.kill()
        process.communicate()


def test_odd_headers_are_refused_without_a_traceback(own_page: Page) -> None:
    address, process = urlsplit(own_page.address), own_page.process
    assert address.port is not None
    host = f"Host: {address.netloc}\r\n".encode()
    name = f"sovdeck_web_{address.port}".encode()
    odd = {
        "long cookie": b"GET / HTTP/1.1\r\n" + host + b"Cookie: " + b"a" * 100_000,
        "long name": b"GET / HTTP/1.1\r\n" + host + b"X" * 100_000 + b": a",
        "long path": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + host,
        "many headers": b"GET / HTTP/1.1\r\n" + host + b"X: a\r\n" * 50_000,
        "no UTF-8": b"GET / HTTP/1.1\r\n" + host + b"Cookie: " + name + b"=\xff\xfe\xed\xa0\x80",
        "UTF-8": b"GET / HTTP/1.1\r\n" + host + b"Cookie: " + name + b"=\xe6\x97\xa5; \xe6=\xe6",
        "odd pairs": b"GET / HTTP/1.1\r\n" + host + b"Cookie: ;;=;\x22=\x22;" + name + b'="\\',
        "NUL": b"GET / HTTP/1.1\r\n" + host + b"Cookie: " + name + b"=a\0b",
        "odd token": b"GET /?token=%ff%00\xff HTTP/1.1\r\n" + host,
        "odd host": b"GET / HTTP/1.1\r\nHost: \xff\xfe[::1",
        "odd origin": b"GET / HTTP/1.1\r\n" + host + b"Origin: \xff://[",
        "no HTTP": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    }
    for what, request in odd.items():
        line = _answer(address.port, request + b"\r\n\r\n")
        assert line == b"" or line.split()[1].startswith(b"4"), (what, line)
    assert _answer(address.port, b"GET / HTTP/1.1\r\n" + host + b"\r\n").split()[1] == b"403"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0 and said == ""


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the process in /proc")
def test_a_dashboard_ends_with_its_tab(page: Page) -> None:
    inside, morsel = _enter(page)

    async def watch() -> None:
        headers = {"Cookie": f"{morsel.key}={morsel.value}"}
        async with (
            aiohttp.ClientSession(headers=headers) as client,
            client.ws_connect(inside + "ws", origin=page.origin) as tab,
        ):
            while b"Servers" not in await tab.receive_bytes(timeout=120):
                pass
            assert dashboards(page.process.pid)

    asyncio.run(watch())
    deadline = time.monotonic() + 60
    while dashboards(page.process.pid):
        assert time.monotonic() < deadline, "the dashboard outlives its tab"
        time.sleep(0.05)


def dashboards(web: int) -> list[psutil.Process]:
    """Processes of a page that show a dashboard."""
    found = []
    for child in psutil.Process(web).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any("page_process" in word for word in child.cmdline()):
                found.append(child)
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are read there in another way")
def test_a_dashboard_ends_with_the_server_of_its_page(own_page: Page) -> None:
    """Killed, that server can tell it nothing: its input ends."""
    process = own_page.process
    inside, morsel = _enter(own_page)

    async def kill() -> list[psutil.Process]:
        headers = {"Cookie": f"{morsel.key}={morsel.value}"}
        async with (
            aiohttp.ClientSession(headers=headers) as client,
            client.ws_connect(inside + "ws", origin=own_page.origin) as tab,
        ):
            while b"Servers" not in await tab.receive_bytes(timeout=120):
                pass
            found = dashboards(process.pid)
            process.kill()
            process.wait()
            return found

    found = asyncio.run(kill())
    assert found and psutil.wait_procs(found, timeout=60)[1] == []


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are read there in another way")
def test_a_dashboard_that_hangs_ends_with_its_tab(tmp_path: Path) -> None:
    program = """
import os, time
from textual.app import App
from sovdeck.tui.web.page_driver import PageDriver

class Hanging(App):
    def on_ready(self):
        os.write(1, b"hangs")
        time.sleep(600)

class Short(PageDriver):
    grace_s = 0.1

Hanging(driver_class=Short).run()
"""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "dev")}
    argv = [sys.executable, "-c", program]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, cwd=tmp_path
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        shown = b""
        while b"hangs" not in shown:
            piece = os.read(process.stdout.fileno(), 65536)
            assert piece, shown
            shown += piece
        quit = b'{"type": "quit"}'
        process.stdin.write(b"M" + len(quit).to_bytes(4, "big") + quit)
        process.stdin.flush()
        try:
            assert process.wait(60) == 0
        finally:
            process.kill()


def test_the_token_leaves_the_address_at_once(page: Page) -> None:
    async def visit() -> None:
        jar = aiohttp.CookieJar(unsafe=True)
        async with (
            aiohttp.ClientSession(cookie_jar=jar) as client,
            client.get(page.address) as answer,
        ):
            assert str(answer.url).startswith(page.origin) and "token" not in str(answer.url)
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert "http" not in (await answer.text()).replace(page.origin, "").replace("ws://", "")

    asyncio.run(visit())


def test_a_taken_port_is_one_sentence(page: Page, tmp_path: Path) -> None:
    second = open_page(tmp_path, page.port)
    out, err = second.communicate(timeout=120)
    assert second.returncode == 2
    assert f"127.0.0.1:{page.port} cannot be used" in json.loads(out)["message"]["en"]
    assert "Traceback" not in err


@pytest.mark.long
def test_interrupting_ends_the_page_and_its_dashboards(tmp_path: Path) -> None:
    process = open_page(tmp_path)
    assert process.stdout is not None
    reported = json.loads(process.stdout.readline())

    async def watch() -> None:
        jar = aiohttp.CookieJar(unsafe=True)
        origin = reported["address"].partition("/?")[0]
        async with aiohttp.ClientSession(cookie_jar=jar) as client:
            async with client.get(reported["address"]) as answer:
                inside = str(answer.url)
            async with client.ws_connect(inside + "ws", origin=origin) as tab:
                screen = b""
                while b"Servers" not in screen:
                    screen += (await tab.receive_bytes(timeout=120)) or b""
                process.send_signal(signal.SIGINT)
                while not (await tab.receive(timeout=120)).type.name.startswith("CLOS"):
                    pass

    asyncio.run(watch())
    assert process.wait(timeout=60) == 0


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")
def test_a_browser_shows_the_dashboard_and_asks_nobody_else(page: Page, tmp_path: Path) -> None:
    async def use(tab: Tab) -> None:
        await tab.call("Page.navigate", url=page.address)
        await tab.until(lambda: "Servers" in tab.screen)
        await tab.evaluate("document.fonts.load(\"16px 'Roboto Mono'\").then(() => true)")
        assert "token" not in await tab.evaluate("location.href")
        assert await tab.evaluate("document.querySelector('canvas').width > 300")
        assert any(url.endswith(".ttf") for url in tab.requests)
        before = len(tab.screen)
        await tab.press("?")
        await tab.until(lambda: len(tab.screen) > before + 200)
        asked = {urlsplit(url).netloc for url in tab.requests if not url.startswith("data:")}
        assert asked == {urlsplit(page.origin).netloc}

    assert BROWSER is not None
    asyncio.run(with_tab(BROWSER, tmp_path / "profile", use))
