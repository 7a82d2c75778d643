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
    from sovdeck.engine.contract.layout import Layout
    from sovdeck.remote.agent.deployment import Deployed
    from sovdeck.remote.hosts.spec import HostSpec
    from sovdeck.remote.ssh.client import Credentials, HostKeyPolicy, SSHConnection
    from sovdeck.remote.transfer.agent.remote_files import list_files
    from sovdeck.remote.transfer.core.progress import TransferMeter
    from sovdeck.remote.transfer.core.tuning import Tuning
    from sovdeck.remote.transfer.download.file import pull
    from sovdeck.remote.transfer.download.files import pull_files
    from sovdeck.remote.transfer.download.tar_batches import DownloadItem
    from sovdeck.remote.transfer.upload.push import push

    spec = HostSpec(args.host, args.port, "root", (args.identity,))
    trust = HostKeyPolicy(
        Path(args.known_hosts + ".ours"), accepted_fingerprints=frozenset({args.fingerprint})
    )
    credentials = Credentials(use_agent=False, default_keys=False)

    def connect() -> SSHConnection:
        return SSHConnection.connect(spec, trust=trust, credentials=credentials)

    common: dict[str, Any] = {"report": lambda progress: None, "cancel": threading.Event()}

    def download_packed() -> None:
        """The engine packs the voice there; the pack is pulled."""
        assert link is not None
        env = {"PYTHONPATH": str(ROOT / "dev")}
        deployed = Deployed(Layout.at(args.source), sys.executable, "0" * 64, env)
        command = deployed.engine_argv(["pack", "VOICE", "--work", args.source, "--json"])
        link.run(command, timeout=600)
        pull(connect, f"{args.source}/packs/VOICE.zip", Path(args.target), **common)

    def download_folder() -> None:
        """Many small files, as a sync fetches them."""
        first, target = connect(), Path(args.target)
        found = list_files(first, args.source)
        items = [DownloadItem(one.path, one.size, target / one.path) for one in found]
        more = {"meter": TransferMeter(), "bandwidth": None, "tuning": Tuning()}
        received: Callable[..., None] = lambda item, sha256: None  # noqa: E731
        where = connect, args.source, items, target
        pull_files(*where, first=first, on_received=received, **more, **common)
        first.close()

    # A voice is packed over the link that stands while a server is open.
    link = connect() if args.what == "pack" else None

    def run() -> None:
        if args.what == "pack":
            download_packed()
        elif args.folder and args.what == "pull":
            download_folder()
        elif args.what == "pull":
            size = Path(args.source).stat().st_size  # a pack's is known before it is pulled
            pull(connect, args.source, Path(args.target), verify=args.verify, size=size, **common)
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
            args.host,
            args.port,
            "root",
            key_filename=args.identity,
            allow_agent=False,
            look_for_keys=False,
        )
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
                args.host,
                args.port,
                username="root",
                client_keys=[args.identity],
                known_hosts=args.known_hosts,
                agent_path=None,
                config=None,
            ) as connection,
            connection.start_sftp_client() as sftp,
        ):
            if args.what == "pull":
                target = str(Path(args.target) / "got")
                await sftp.get(args.source, target, recurse=args.folder)
            else:
                await sftp.put(args.source, args.target, recurse=True)

    return lambda: asyncio.run(work())


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=("ours", "paramiko", "asyncssh"))
    parser.add_argument("what", choices=("pull", "push", "pack"))
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
    """CPU seconds of this process and of the programs it ran."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    sys.exit(main())
