"""What happens on one side of a slow wire; each function runs as a program in its namespace.

far_steps.py NAME FOLDER SERVER_JSON WIRE_PID        prints what it found as one JSON line
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import urllib.request
from dataclasses import asdict, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE), str(HERE / "deploy")]

from far_hosts import ROOT, SERVER  # noqa: E402 - tests/ is not a package
from servers import Place, start_sshd, stop_sshd  # noqa: E402
from test_install_script import make_wheel  # noqa: E402

from sovdeck.engine.contract.layout import Layout  # noqa: E402
from sovdeck.remote import deploy  # noqa: E402
from sovdeck.remote.agent.code_archive import build_code_archive  # noqa: E402
from sovdeck.remote.agent.deployment import Deployed  # noqa: E402
from sovdeck.remote.deploy import DeployOptions, StepReport  # noqa: E402
from sovdeck.remote.hosts.spec import HostSpec  # noqa: E402
from sovdeck.remote.jobs import client as job_client  # noqa: E402
from sovdeck.remote.probe import probe  # noqa: E402
from sovdeck.remote.ssh.client import SSHConnection  # noqa: E402
from sovdeck.remote.ssh.remote_tail import EventTail, RemoteTail  # noqa: E402

COUNT, PAUSE_S, DARK_S = 120, 0.05, 7.0
WRITER = """
import json, sys, time
with open("events.jsonl", "a") as file:
    for seq in range(int(sys.argv[1])):
        file.write(json.dumps({"v": 1, "seq": seq, "t": seq, "run": "r", "type": "step",
            "attempt": 1, "stage": "gpt", "step": seq, "total": 9, "losses": {}}) + "\\n")
        file.flush()
        time.sleep(float(sys.argv[2]))
"""


def serve(folder: Path, _: Place | None, __: int) -> None:
    """An sshd for as long as our input is open; its place is the first line."""
    place = start_sshd(folder, SERVER)
    shown = {"spec": asdict(place.spec), "fingerprint": place.fingerprint}
    print(json.dumps({**shown, "home": str(place.home), "folder": str(folder)}), flush=True)
    sys.stdin.read()
    stop_sshd(place)


def stream(folder: Path, place: Place, wire: int) -> dict[str, Any]:
    """Follow a run while the wire swallows everything for a while."""
    work = folder / "work"
    (work / "code" / "abc").mkdir(parents=True)
    (work / "code" / "abc" / "agent").symlink_to(ROOT / "remote" / "agent")
    deployed = Deployed(Layout.at(str(work)), sys.executable, "abc")
    links: list[SSHConnection] = []

    def source() -> SSHConnection:
        if not links or not links[-1].alive:
            links.append(place.connect())
        return links[-1]

    command = (sys.executable, "-c", WRITER, str(COUNT), str(PAUSE_S))
    run = job_client.launch_job(source(), deployed, "r", command)
    tail = RemoteTail(source, str(run.folder.events), run_folder=str(run.folder.path))
    seqs: list[int] = []
    for event in EventTail(tail):
        seqs.append(event.seq)
        if len(seqs) == 10:
            os.kill(wire, signal.SIGUSR1)
            threading.Timer(DARK_S, os.kill, (wire, signal.SIGUSR1)).start()
    state = job_client.fetch_state(source(), run).state
    for link in links:
        link.close()
    return {"sound": seqs == list(range(COUNT)), "links": len(links), "state": state}


def relay(folder: Path, place: Place, _: int) -> dict[str, Any]:
    """A whole deploy to a server that reaches nothing: an index on this side is enough."""
    wheels = folder / "simple" / "sovdeckprobe"
    wheels.mkdir(parents=True)
    make_wheel(wheels, "sovdeckprobe", "1.0")
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))

    class Server(ThreadingHTTPServer):
        address_family = 10  # AF_INET6

    with Server(("::1", 0), handler) as index:
        threading.Thread(target=index.serve_forever, daemon=True).start()
        url = f"http://[::1]:{index.server_address[1]}/simple"
        urllib.request.urlopen(url).close()
        found = deployed_twice(folder, place, DeployOptions(relay=True, indexes=(url,)))
        index.shutdown()
    return found


def wheels(folder: Path, place: Place, _: int) -> dict[str, Any]:
    """The same with a folder of wheels and no index at all."""
    source = folder / "wheels"
    source.mkdir()
    make_wheel(source, "sovdeckprobe", "1.0")
    return deployed_twice(folder, place, DeployOptions(wheels=str(source)))


def deployed_twice(folder: Path, place: Place, wanted: DeployOptions) -> dict[str, Any]:
    config = replace(wanted, work=str(folder / "work"), python=sys.executable)
    whole = build_code_archive()
    lines = (line for line in whole.requirements if line.startswith("torch"))
    lacking = replace(whole, requirements=(*lines, "sovdeckprobe>=1"))
    reports: list[list[StepReport]] = [[], []]
    with (
        mock.patch.object(deploy, "build_code_archive", lambda: lacking),
        mock.patch.object(probe, "build_code_archive", lambda: lacking),
        place.connect() as link,
    ):
        for said in reports:
            deployed = deploy.deploy(link, config, said.append, connect=place.connect)
        show = "import sovdeckprobe, sys; print(sovdeckprobe.__file__)"
        where = link.run([deployed.python, "-c", show]).out.decode().strip()
        reach = "import socket; socket.create_connection(('2001:db8::1', 80), 2)"
        out = link.run([deployed.python, "-c", reach])
    return {
        "done": [r.name for r in reports[0] if r.state == "done"],
        "again": [[r.name, r.state] for r in reports[1]],
        "module": where.startswith(str(folder / "work")),
        "cut_off": out.code != 0,
    }


def main() -> None:
    name, folder, server, wire = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    place = None
    if given := json.loads(server):
        spec = given["spec"]
        host = HostSpec(spec["host"], spec["port"], spec["user"], tuple(spec["identity"]))
        place = Place(host, Path(given["home"]), given["fingerprint"], Path(given["folder"]))
    begun = time.monotonic()
    steps: dict[str, Any] = {"serve": serve, "stream": stream, "relay": relay, "wheels": wheels}
    found = steps[name](Path(folder), place, int(wire))
    if found is not None:
        print(json.dumps({**found, "seconds": time.monotonic() - begun}))


if __name__ == "__main__":
    main()
