"""An SSH server of ours in a thread of this process, with everything about it chosen."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncssh

# A hostile server writes on when the laptop has hung up, and asyncio warns of every time.
logging.getLogger("asyncio").setLevel(logging.ERROR)


@contextmanager
def ssh_server(
    guard: Callable[[], asyncssh.SSHServer],
    process: Callable[[Any], Any] | None = None,
    key: asyncssh.SSHKey | None = None,
) -> Iterator[tuple[int, str]]:
    """(port, fingerprint) of a server on 127.0.0.1; `process` runs commands and subsystems."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    host_key = key or asyncssh.generate_private_key("ssh-ed25519")

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(
            guard,
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            process_factory=process,
            encoding=None,
        )

    async def end(acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    try:
        yield acceptor.get_port(), host_key.get_fingerprint()
    finally:
        asyncio.run_coroutine_threadsafe(end(acceptor), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
