"""Enough of the Chrome DevTools protocol to open a page, press keys, and see what it fetched."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

WAIT_S = 120.0


class Tab:
    """One page. `requests` are all URLs it asked for, `screen` all text its socket received."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._changed = asyncio.Event()
        self._last = 0
        self.requests: list[str] = []
        self.screen = ""
        self._reader = asyncio.create_task(self._read())

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._last += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[self._last] = answer
        await self._socket.send_json({"id": self._last, "method": method, "params": params})
        return await asyncio.wait_for(answer, WAIT_S)

    async def evaluate(self, script: str) -> Any:
        found = await self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        return found["result"].get("value")

    async def press(self, letter: str) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": letter} if kind == "keyDown" else {}
            await self.call("Input.dispatchKeyEvent", type=kind, key=letter, **text)

    async def until(self, holds: Callable[[], bool]) -> None:
        async def wait() -> None:
            while not holds():
                self._changed.clear()
                await self._changed.wait()

        await asyncio.wait_for(wait(), WAIT_S)

    async def _read(self) -> None:
        async for message in self._socket:
            reported = message.json()
            params = reported.get("params", {})
            if "id" in reported:
                self._answers.pop(reported["id"]).set_result(reported.get("result", {}))
            elif reported["method"] == "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            elif reported["method"] == "Network.webSocketFrameReceived":
                frame = params["response"]
                data = frame["payloadData"]
                binary = frame["opcode"] == 2
                self.screen += base64.b64decode(data).decode("utf-8", "replace") if binary else data
            self._changed.set()


async def with_tab(program: str, profile: Path, use: Callable[[Tab], Any]) -> None:
    """Start a headless browser, open one tab, and let `use` drive it."""
    root = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    browser = await asyncio.create_subprocess_exec(
        program,
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        *root,
        "--no-first-run",
        "--disable-background-networking",
        "--window-size=1200,800",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        port = await _port(profile / "DevToolsActivePort", browser)
        async with aiohttp.ClientSession() as http:
            async with http.put(f"http://127.0.0.1:{port}/json/new?about:blank") as made:
                where = (await made.json())["webSocketDebuggerUrl"]
            async with http.ws_connect(where, max_msg_size=0) as socket:
                tab = Tab(socket)
                await tab.call("Network.enable")
                await tab.call("Page.enable")
                await use(tab)
    finally:
        browser.terminate()
        await browser.wait()


async def _port(file: Path, browser: asyncio.subprocess.Process) -> int:
    for _ in range(int(WAIT_S * 10)):
        if browser.returncode is not None:
            raise AssertionError(f"the browser ended with code {browser.returncode}")
        if file.is_file() and (lines := file.read_text().split()):
            return int(lines[0])
        await asyncio.sleep(0.1)
    raise AssertionError("the browser opened no debugging port")
