"""Forked processes that train together, without torchrun and what it takes to start."""

from __future__ import annotations

import os
import socket
import sys
import traceback
from collections.abc import Callable

import torch

from sovdeck.engine.runtime.distributed import Peers, join_peers


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def together(work: Callable[[Peers], None], world: int = 2) -> list[int]:
    """Run `work` in `world` forked processes joined by gloo; their exit codes by rank."""
    port = free_port()
    children = []
    for rank in range(world):
        child = os.fork()
        if child == 0:
            os.environ.update(
                RANK=str(rank),
                WORLD_SIZE=str(world),
                LOCAL_RANK=str(rank),
                MASTER_ADDR="127.0.0.1",
                MASTER_PORT=str(port),
            )
            code = 0
            try:
                torch.set_num_threads(1)
                with join_peers("cpu") as peers:
                    work(peers)
            except BaseException:  # noqa: BLE001  # a forked child must not return into pytest
                traceback.print_exc()
                code = 9
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
