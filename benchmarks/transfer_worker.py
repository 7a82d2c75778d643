"""One transfer by one Python library, in a process of its own; prints seconds and CPU as JSON.

Time runs from the first byte of the connection to the last on disk; starting Python and importing
are left out, since the dashboard is running when a transfer begins.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def ours(args: argparse.Namespace) -> Callable[[], None]:
    from engine.contract.layout import Layout
    from remote.deployed import Deployed
    from remote.hostspec import HostSpec
    from remote.link import Credentials, Link, Trust
    from remote.pack_question import PackQuestion
    from remote.transfer.pull import pull
    from remote.transfer.pull_folder import pull_folder
    from remote.transfer.push import push
    from remote.transfer.virtual_zip import pull_virtual

    spec = HostSpec(args.host, args.port, "root", (args.identity,))
    trust = Trust(Path(args.known_hosts + ".ours"), accepted=frozenset({args.fingerprint}))
    credentials = Credentials(use_agent=False, default_keys=False)

    def connect() -> Link:
        return Link.connect(spec, trust=trust, credentials=credentials)

    common: dict[str, Any] = {"report": lambda progress: None, "cancel": threading.Event()}

    def bring_voice() -> None:
        """The two ways to one archive: packed there first, or put together here."""
        assert link is not None
        env = {"PYTHONPATH": str(ROOT)}
        deployed = Deployed(Layout.at(args.source), sys.executable, "0" * 64, env)
        if args.what == "pack":
            command = deployed.engine(["pack", "VOICE", "--work", args.source, "--json"])
            link.run(command, timeout=600)
            pull(connect, f"{args.source}/packs/VOICE.zip", Path(args.target), **common)
        else:
            question = PackQuestion(connect, link, deployed, "VOICE", "voice")
            with question as plan:
                target = Path(args.target)
                asked = question.connect, plan, question.outline
                pull_virtual(*asked, args.source, target, **common)

    # A voice is packed over the link that stands while a server is open.
    link = connect() if args.what in ("pack", "virtual") else None

    def run() -> None:
        if args.what in ("pack", "virtual"):
            bring_voice()
        elif args.folder and args.what == "pull":
            pull_folder(connect, args.source, Path(args.target), **common)
        elif args.what == "pull":
            pull(connect, args.source, Path(args.target), verify=args.verify, **common)
        else:
            files = _files(Path(args.source))
            push(connect, files, args.target, **common)

    return run


def _files(source: Path) -> dict[str, Path]:
    if source.is_file():
        return {source.name: source}
    return {p.relative_to(source).as_posix(): p for p in source.rglob("*") if p.is_file()}


def paramiko(args: argparse.Namespace) -> Callable[[], None]:
    """Stock `SFTPClient.get` and `put`, as most programs use them."""
    import paramiko as library

    def run() -> None:
        client = library.SSHClient()
        client.load_host_keys(args.known_hosts)
        client.connect(
            args.host, args.port, "root", key_filename=args.identity, allow_agent=False,
            look_for_keys=False,
        )  # fmt: skip
        sftp = client.open_sftp()
        if args.what == "pull":
            names = sftp.listdir(args.source) if args.folder else []
            for name in names:
                sftp.get(f"{args.source}/{name}", str(Path(args.target) / name))
            if not args.folder:
                sftp.get(args.source, str(Path(args.target) / "got"))
        else:
            for name, path in _files(Path(args.source)).items():
                sftp.put(str(path), f"{args.target}/{name}")
        client.close()

    return run


def asyncssh(args: argparse.Namespace) -> Callable[[], None]:
    import asyncssh as library

    async def work() -> None:
        async with (
            library.connect(
                args.host, args.port, username="root", client_keys=[args.identity],
                known_hosts=args.known_hosts, agent_path=None, config=None,
            ) as connection,
            connection.start_sftp_client() as sftp,
        ):  # fmt: skip
            if args.what == "pull":
                target = str(Path(args.target) / "got")
                await sftp.get(args.source, target, recurse=args.folder)
            else:
                await sftp.put(args.source, args.target, recurse=True)

    return lambda: asyncio.run(work())


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=("ours", "paramiko", "asyncssh"))
    parser.add_argument("what", choices=("pull", "push", "pack", "virtual"))
    for name in ("source", "target", "host", "identity", "known_hosts", "fingerprint"):
        parser.add_argument(name)
    parser.add_argument("port", type=int)
    parser.add_argument("--folder", action="store_true")
    parser.add_argument("--no-verify", dest="verify", action="store_false")
    args = parser.parse_args()
    run = {"ours": ours, "paramiko": paramiko, "asyncssh": asyncssh}[args.library](args)
    began, cpu = time.monotonic(), spent()
    run()
    seconds = time.monotonic() - began
    json.dump({"seconds": seconds, "cpu": spent() - cpu}, sys.stdout)
    return 0


def spent() -> float:
    """CPU seconds of this process and of the programs it ran: an ssh of the system's is one."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    sys.exit(main())
