"""Every reader of text that comes from a server, a file of the user or the web, as one table.

A target takes bytes and may raise Problem, which is a sentence; anything else is a fault of ours.
"""

from __future__ import annotations

import atexit
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from beside_weights import SAMPLES, read_beside_weights

from sovdeck.engine.contract import events as contract_events
from sovdeck.engine.contract.dataset.items import read_dataset_list
from sovdeck.engine.contract.dataset.measure import measure_wav
from sovdeck.engine.contract.fold import RunState, StageState, fold
from sovdeck.engine.contract.format import format_money
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.run_summary import RunSummary, parse_summary
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.remote.autostop import watchdog
from sovdeck.remote.config.load import examine_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.deploy import find_deployed
from sovdeck.remote.deploy.gpu_check import parse_check
from sovdeck.remote.deploy.steps import DeployOptions
from sovdeck.remote.deploy.torch_index import parse_survey
from sovdeck.remote.disk.items import ServerKnowledge, mark_items
from sovdeck.remote.disk.server_disk import parse_usage
from sovdeck.remote.hosts.certificates import parse_certificate
from sovdeck.remote.hosts.known_hosts import parse_known_hosts
from sovdeck.remote.hosts.spec import parse_ssh_line
from sovdeck.remote.hosts.ssh_config import resolve_host_spec
from sovdeck.remote.http_json import _find_detail
from sovdeck.remote.jobs.state import derive_state, parse_snapshots
from sovdeck.remote.preflight.bench import KeptRow
from sovdeck.remote.probe.diagnosis import diagnose
from sovdeck.remote.probe.facts import parse_facts
from sovdeck.remote.probe.providers import find_profile
from sovdeck.remote.probe.telemetry import TelemetryParser
from sovdeck.remote.rent.leases import _parse as _parse_lease
from sovdeck.remote.rent.rental import LookedAtLease
from sovdeck.remote.servers.run_list import RunRow
from sovdeck.remote.speech import json_lines, speech_session, text_reader
from sovdeck.remote.speech.audition import _parse_update
from sovdeck.remote.speech.voice_assets import _parse_reference
from sovdeck.remote.ssh.login_shell import refusal, split_output
from sovdeck.remote.ssh.remote_tail import LineAssembler, clean_line
from sovdeck.remote.transfer.agent import remote_files, staging
from sovdeck.remote.transfer.core.part_journal import read_journal
from sovdeck.remote.transfer.sftp import packets
from sovdeck.remote.transfer.sftp.session import SftpSession
from sovdeck.remote.voices import listing, sync_policy, unpack
from sovdeck.remote.voices.download_index import FILE, DownloadIndex
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.follow_run import format_notice, format_stage_progress
from sovdeck.tui.cli.run_table import row_json, run_failure
from sovdeck.tui.cli.watch_runs import change_key, format_row
from sovdeck.tui.screens.rent.text import lease_until
from sovdeck.tui.services.converters import server_summary, to_job_status, to_telemetry
from sovdeck.tui.services.live.rentals import _lease_row
from sovdeck.tui.shell.settings import load_settings
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.models import JobStatus
from sovdeck.tui.state.run_lines import run_lines
from sovdeck.tui.state.server_models import SavedServer
from sovdeck.tui.state.store import Store

LAYOUT = Layout.at("/w")
CONSOLE = Console(json_output=False, language="en")
# Nothing else lies beside it: what leaves it is seen.
SCRATCH = Path(tempfile.mkdtemp(prefix="sovdeck-proof-")) / "scratch"
atexit.register(shutil.rmtree, SCRATCH.parent, ignore_errors=True)


@dataclass(frozen=True)
class Parser:
    """One reader: good samples of what it reads, and the call."""

    name: str
    samples: tuple[bytes, ...]
    read: Callable[[bytes], object]


class Answer:
    """A connection whose every command answers with the same bytes."""

    name = "box"

    def __init__(self, out: bytes) -> None:
        self.code, self.out, self.err, self.preamble = 0, out, out[-200:], out[:50]

    def run(self, *args: Any, **options: Any) -> Any:
        return self

    script = run


class Stream:
    """A channel from which the same bytes come, then its end."""

    exit_code = 1
    stderr = b""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, n: int = -1, *, deadline: float | None = None) -> bytes:
        return self._data.read(min(n, 70) if n > 0 else n)

    def write(self, data: bytes) -> None:
        """Whatever is asked, the answer is written already."""

    def close(self) -> None:
        """Nothing is open."""


def _scratch(name: str, data: bytes) -> Path:
    SCRATCH.mkdir(exist_ok=True)
    path = SCRATCH / name
    path.write_bytes(data)
    return path


def _event(type_: str, payload: dict[str, Any]) -> bytes:
    made = contract_events.Event(0, 1_700_000_000_000, "r1", type_, 1, "gpt", payload)
    return made.to_json().encode()


_TEXTS = {"en": "no", "zh": "不"}
_PAYLOADS: dict[str, dict[str, Any]] = {
    "run_started": {
        "voice": "Mei",
        "stages": ["gpt"],
        "device": {"kind": "cuda", "name": "L4"},
        "engine": "1",
    },
    "plan": {
        "stages": [{"name": "gpt", "total": 9, "unit": "updates", "epochs": 2}],
        "notes": ["a"],
    },
    "stage_started": {"total": 9, "unit": "updates", "epochs": 2},
    "step": {"step": 1, "total": 9, "losses": {"total": 3.5}, "rate": 2.0, "eta_s": 4, "epoch": 1},
    "epoch": {"epoch": 1, "epochs": 2},
    "validation": {"epoch": 1, "metrics": {"loss": 2.5}},
    "sample": {"path": "runs/r1/samples/a.wav", "text": "x", "seconds": 1.5},
    "checkpoint": {"path": "logs/Mei/x", "epoch": 1, "step": 4},
    "export": {
        "path": "GPT_weights/Mei/Mei-e1.ckpt",
        "kind": "gpt",
        "bytes": 9,
        "sha256": "0" * 64,
        "epoch": 1,
    },
    "memory": {"source": "nvml", "ram_used": 1, "gpu_used": 2, "gpu_total": 3, "gpu_ours": 1},
    "warning": {"code": "engine.x.y", "message": _TEXTS, "hint": _TEXTS},
    "oom_recovered": {"batch_before": 4, "batch_after": 2},
    "stall": {"seconds": 9.5},
    "stage_finished": {"updates": 9, "seconds": 12.5, "first_loss": 3.0, "last_loss": 1.0},
    "run_finished": {"status": "succeeded", "exit_code": 0, "exports": []},
    "error": {"code": "engine.x.y", "message": _TEXTS, "hint": _TEXTS},
}
ONE_EACH = tuple(_event(kind, _PAYLOADS[kind]) for kind in contract_events.REQUIRED_FIELDS)


def _numbered() -> bytes:
    return b"\n".join(
        line.replace(b'"seq": 0', b'"seq": %d' % number) for number, line in enumerate(ONE_EACH)
    )


def read_events(data: bytes) -> None:
    """An event's whole way: line, fold, the sentences of the command line, the dashboard's store."""
    lines = LineAssembler().feed(data + b"\n")
    found = [one for line in lines if (one := contract_events.parse_event(line.data)) is not None]
    state = fold(RunState(), found)
    for event in found:
        run_lines([event])
        format_notice(event, CONSOLE)
        json.dumps({"event": event.type, "stage": event.stage, **event.payload}, default=str)
    for stage in state.stages:
        format_stage_progress(stage)
    sync_policy.validation_scores(state)
    (snapshot,) = parse_snapshots("now 5\nboot b\nrun r1\n")
    row = RunRow("box", derive_state(snapshot), state)
    json.dumps(row_json(row)), run_failure(row), change_key(row), format_row(row, CONSOLE)
    store = Store()
    store.apply([ev.ServersLoaded((SavedServer("box", "root@h"),))])
    store.apply([ev.RunEvents("box", "r1", tuple(found), 5)])
    store.apply([ev.JobSeen(JobStatus("box", "r1", "running", "Mei"), 6)])


def read_snapshots(data: bytes) -> None:
    """The answer of state.sh, to the rows of `ps`."""
    for snapshot in parse_snapshots(data.decode("utf-8", "replace")):
        state = derive_state(snapshot)
        to_job_status("box", state)
        row = RunRow("box", state, RunState())
        json.dumps(row_json(row)), run_failure(row), format_row(row, CONSOLE)


def read_probe(data: bytes) -> None:
    """The answer of probe.sh, to what doctor and the Servers screen say."""
    facts = parse_facts("\n".join(map(clean_line, data.split(b"\n"))))
    diagnose(facts, "host", find_profile("auto", "host", facts.provider_marks))
    server_summary(facts, (), None)


def read_telemetry(data: bytes) -> None:
    """The output of telemetry.sh in two halves, to what the gauges show."""
    parser = TelemetryParser()
    for part in (data[: len(data) // 2], data[len(data) // 2 :]):
        if (sample := parser.feed(part, 5)) is not None:
            to_telemetry(sample)


def read_deployed(data: bytes) -> None:
    """The record of an earlier deployment."""
    find_deployed(cast(Any, Answer(data)), DeployOptions())


def read_autostop(data: bytes) -> None:
    """The status of the watchdog."""
    status = watchdog.fetch_watchdog_status(cast(Any, Answer(data)), LAYOUT)
    if status is not None:
        watchdog.running_on_warning(status, "box")


def read_sftp(data: bytes) -> None:
    """An SFTP server's packets: hello, opening a file, its attributes."""
    session = SftpSession(cast(Any, Stream(data)))
    session.close_file(session.open("x", packets.FOR_READING)[0])
    session.open("y", packets.FOR_READING)


def _packet(kind: int, body: bytes) -> bytes:
    return (len(body) + 1).to_bytes(4, "big") + bytes([kind]) + body


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


_ATTRS = _u32(0xD) + (5).to_bytes(8, "big") + _u32(0o100644) + _u32(1) + _u32(2)
_SFTP = (
    _packet(packets.VERSION, _u32(3))
    + _packet(packets.HANDLE, _u32(1) + _u32(1) + b"h")
    + _packet(packets.ATTRS, _u32(2) + _ATTRS)
    + _packet(packets.STATUS, _u32(3) + _u32(8) + _u32(2) + b"no" + _u32(0))
    + _packet(packets.STATUS, _u32(4) + _u32(0) + _u32(0) + _u32(0))
)


def read_agent(data: bytes) -> None:
    """Each answer of the transfer agent; a Problem of one keeps no other from being tried."""
    link = cast(Any, Answer(data))
    files = [remote_files.RemoteFile("a", 1, 2), remote_files.RemoteFile("b", 3, 4)]
    wanted = [staging.StagingRecord("a", 1, "0" * 64)]
    calls: tuple[Callable[[], object], ...] = (
        lambda: remote_files.fetch_digest(link, "p", 5),
        lambda: remote_files.fetch_identity(link, "p"),
        lambda: remote_files.list_files(link, "f"),
        lambda: remote_files.fetch_sha256_sums(link, "f", files),
        lambda: staging.query_staged(link, "f", wanted, 4),
        lambda: staging.commit_staged(link, "f", wanted),
    )
    for call in calls:
        try:
            call()
        except Problem as problem:
            problem.sentence()


def read_speech(data: bytes) -> None:
    """JSON lines of the engine: problems, weights, readings, auditions, references."""
    lines = json_lines.JsonLines(cast(Any, Stream(data)), "box", max_bytes=1 << 20)
    while (message := lines.next()) is not None:
        json_lines.parse_engine_problem(message)
        speech_session.parse_weights(message)
        text_reader.parse_reading(message)
        _parse_update(message)
        _parse_reference(message)


def read_voice_list(data: bytes) -> None:
    """The files of voices on a server, and where they would go here."""
    link = cast(Any, Answer(data))
    for voice in listing.list_voices(link, LAYOUT):
        for file in remote_files.list_files(link, "/w"):
            listing.as_checkpoint(file, {})
            listing.local_path(voice, file.path)


def read_specs(data: bytes) -> None:
    """The specs of all runs."""
    listing.newest_run(cast(Any, Answer(data)), LAYOUT)
    RunSpec.from_json(data.decode("utf-8", "replace"))


def read_zip(data: bytes) -> None:
    """An archive of a server, unpacked."""
    target = SCRATCH / "voice"
    try:
        unpack.extract(_scratch("voice.zip", data), target, replace=True)
    finally:
        stray = [one.name for one in SCRATCH.parent.glob("evil*")]
        assert not stray, stray


def _zip() -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("a/b.txt", b"hello" * 9)
        archive.writestr("manifest.json", b'{"files": []}')
    return whole.getvalue()


def read_config(data: bytes) -> None:
    """A deploy.toml: every fault is a sentence with its place."""
    path = _scratch("deploy.toml", data)
    for issue in examine_config(path, AppPaths.below(SCRATCH)).issues:
        assert issue


def read_index(data: bytes) -> None:
    """The index of verified downloads; a torn one costs time only."""
    _scratch(FILE, data)
    DownloadIndex(SCRATCH).verified_on("box")


def read_host(data: bytes) -> None:
    """A pasted ssh line, with a configuration file that has everything in it."""
    text = data.decode("utf-8", "replace")
    try:
        parse_ssh_line(text)
    except Problem as problem:
        problem.sentence()
    resolve_host_spec("ssh box", [_scratch("config", data)])


def read_lease(data: bytes) -> None:
    """A line of the file of leases, to what the Rent screen says of it."""
    lease = _parse_lease(data.decode("utf-8", "replace"))
    if lease is not None:
        row = _lease_row(LookedAtLease(lease, None), None)
        lease_until(row), format_money(row.cost_at(6), row.currency)


def read_text_file(read: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    """A reader of a whole file."""
    return lambda data: read(_scratch(name, data))


PARSERS = (
    Parser("events", (*ONE_EACH, _numbered()), read_events),
    Parser(
        "job states",
        (
            b'now 100\nboot b\nrun r1\npid {"pid": 7, "start": 5, "boot": "b", "attempt": 1,'
            b' "child": 8, "child_start": 6}\nsupervisor_start 5\nchild_start 6\nbeat 99\nqueued 2\n'
            b"run r2\nmissing yes\nrun r3\n"
            b'pid {"pid": 7, "attempt": 2}\nexit {"attempt": 2, "code": 137, "signal": 9, "t": 50}\n'
            b"stop yes\nlast " + ONE_EACH[14],
        ),
        read_snapshots,
    ),
    Parser(
        "probe",
        (
            b"begin 1\nuser root\nhome /root\nsystem Linux\nos Debian 12\nmachine x86_64\nlibc glibc 2.36\n"
            b"root\ncontainer\ncpus 8\ncpu_quota 400000 100000\nmemory_kb 1000\nmemory_limit 5000\n"
            b"disk /root 100 50 1 ext4\nmark AUTODL\ntool tar yes\npython /usr/bin/python3 3.11.2 venv\n"
            b"gpu 0, GPU-1, 535.1, 24564 MiB, 3 MiB, 24000 MiB, 0 %, 0 %, 30, 20.5 W, [N/A], RTX 4090\n"
            b"driver 535.1\ncuda 12.2\nsource https://x 200 0.5 1000\nenvironment {}\nwork /root\nend 2\n",
        ),
        read_probe,
    ),
    Parser(
        "telemetry",
        (
            b"0, GPU-1, 535.1, 24564 MiB, 3 MiB, 24000 MiB, 0 %, 0 %, 30, 20.5 W, [N/A], RTX, 4090\n"
            b"@sys mem_total_kb=1000 mem_available_kb=500 cgroup_limit=9999 cgroup_used=99"
            b" cgroup_cache=5 cpu_busy=100 cpu_idle=50 load=0.5 disk_total_kb=9 disk_free_kb=5\n"
            b"@sys cpu_busy=200 cpu_idle=90\n",
        ),
        read_telemetry,
    ),
    Parser(
        "deployment",
        (
            b'deployed {"work": "/w", "python": "p", "env": {"A": "b"}, "environment_key": "k"}\ncode\n',
        ),
        read_deployed,
    ),
    Parser(
        "torch check",
        (b'{"torch": "2.11", "gpu": "L4", "capability": 8.9, "error": ""}',),
        lambda data: parse_check(data.decode("utf-8", "replace")),
    ),
    Parser(
        "package indexes",
        (
            b'{"sources": [{"base": "b", "layout": "index", "address": "a", "wheels": {"torch": "2"},'
            b' "bytes": 5, "speed": 2.5}], "plain": ["x"], "failed": {"a": "b"}}',
        ),
        lambda data: parse_survey(data.decode("utf-8", "replace"), by_laptop=False),
    ),
    Parser(
        "autostop",
        (
            b"status now=5 current=6 stop=1 reason=idle at=7 waiting=1 running=1 dry=1\n"
            b'history 5 x\nstop {"tries": 3, "why": "no", "now": 6}\n',
        ),
        read_autostop,
    ),
    Parser("sftp", (_SFTP, b"Welcome!\n" + _SFTP), read_sftp),
    Parser(
        "transfer agent",
        (
            b"file 5 6\nblock 0 " + b"0" * 64 + b"\nwhole " + b"0" * 64 + b"\nfile 5 6\n",
            b"5 6 a b\0" + b"7 8 c\0end\0",
            b"0" * 64 + b" 1 a\0- 0 b\0",
            b"staged 0\nblock 0 1 " + b"0" * 64 + b"\nend 1\n",
            b"placed 0\nend 1\n",
        ),
        read_agent,
    ),
    Parser(
        "engine answers",
        (
            b'{"code": "engine.a.b", "message": {"en": "x", "zh": "y"}, "exit_code": 3}\n'
            b'{"event": "weights", "gpt": [{"name": "a", "epoch": 1}], "loaded": ["a", "b"]}\n'
            b'{"pieces": [{"language": "zh", "text": "x"}], "lost": [{"index": 1, "char": "y"}]}\n'
            b'{"event": "cell", "wav": "a.wav", "kind": "take", "cell": "c", "seconds": 1.5}\n'
            b'{"event": "standing", "gpt": "a", "sovits": "b", "score": 0.5}\n'
            b'{"event": "ranked", "votes": 3, "chosen": ["a", "b"]}\n'
            b'{"path": "a.wav", "window": [0, 1.5], "peaks": [0.5], "seconds": 3}\n',
        ),
        read_speech,
    ),
    Parser(
        "voice files",
        (
            b"5 6 GPT_weights/Mei/Mei-e1.ckpt\0" + b"7 8 packs/Mei.zip\0"
            b"7 8 runs/r/samples/a.wav\0end\0",
        ),
        read_voice_list,
    ),
    Parser(
        "run summaries",
        (
            RunSummary(RunState("r1", "Mei", stages=(StageState("gpt"),)), 9).to_json().encode(),
            RunSummary(RunState("r1", "Mei"), 9).first_line().encode(),
        ),
        parse_summary,
    ),
    Parser(
        "files beside weights",
        SAMPLES,
        lambda data: read_beside_weights(SCRATCH / "work", data),
    ),
    Parser(
        "disk usage",
        (b"now 9\nsize code 4 code/a\ntime code 5 code/a\nsize states 7 logs/Mei/states\n",),
        lambda data: mark_items(parse_usage(data.decode("utf-8", "replace"))[0], ServerKnowledge()),
    ),
    Parser("run specs", (RunSpec("r1", "Mei").to_json().replace("\n", "").encode(),), read_specs),
    Parser("archives", (_zip(),), read_zip),
    Parser(
        "deploy.toml",
        (
            b'version = 1\n[paths]\nwork = "/w"\n[servers.box]\nssh = "ssh -p 22 root@h"\nprice = 1.5\n'
            b'[train]\nvoice = "Mei"\n[train.params]\n"gpt.epochs" = 5\n[notify]\nbell = true\n'
            b'[autostop]\nidle = "30m"\n[pull]\nauto = "best"\n',
        ),
        read_config,
    ),
    Parser(
        "settings",
        (
            b'theme = "dark"\nsmoothing = 0.5\n[keys]\nquit = "ctrl+q"\n[recipes.a]\npreset = "v2"\n',
        ),
        read_text_file(load_settings, "settings.toml"),
    ),
    Parser(
        "verified index",
        (
            b'{"v": 1, "files": [{"server": "box", "path": "p", "version": "v", "bytes": 1,'
            b' "sha256": "s", "local": "a/b"}]}',
        ),
        read_index,
    ),
    Parser(
        "part journals",
        (b'{"v": 1, "path": "p", "size": 100, "mtime": 5}\n0 50;\nsha256 ' + b"0" * 64 + b";",),
        read_text_file(read_journal, "journal"),
    ),
    Parser(
        "ssh lines and files",
        (
            b"ssh -p 40022 -i ~/.ssh/k -J a@b:22 root@[2001:db8::1%eth0]",
            b"Host box\n  HostName h\n  Port 22\n  User me\n  IdentityFile ~/.ssh/%h\n"
            b"Match user me\n  ProxyJump a@b\nInclude other\n",
        ),
        read_host,
    ),
    Parser(
        "known hosts",
        (
            b"[h]:22 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA comment\n|1|c2FsdA==|aGFzaA== ssh-rsa AAAA\n"
            b"@revoked * ssh-rsa AAAA\n",
        ),
        lambda data: parse_known_hosts(data.decode("utf-8", "replace")),
    ),
    Parser(
        "certificates",
        (
            b"\0\0\0\x20ssh-ed25519-cert-v01@openssh.com\0\0\0\x04nonc\0\0\0\x04pkey"
            b"\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\2id\0\0\0\0",
        ),
        parse_certificate,
    ),
    Parser(
        "dataset lists",
        ("\ufeffa.wav|Mei|zh|早上好\nwavs\\b.wav|Mei|JP|おはよう\n".encode(),),
        read_text_file(read_dataset_list, "Mei.list"),
    ),
    Parser(
        "sound files",
        (
            b"RIFF\x34\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0"
            b"data\x10\0\0\0" + bytes(range(16)),
        ),
        read_text_file(measure_wav, "a.wav"),
    ),
    Parser(
        "leases",
        (
            b'{"name": "a", "provider": "p", "voice": "v", "gpu": "g", "currency": "USD", "end": "stop",'
            b' "instance": "i", "server": "s", "created_at": 1.5, "expires_at": 2.5}',
        ),
        read_lease,
    ),
    Parser(
        "bench rows",
        (
            b'{"row": {"gpu": "L4", "torch": "2", "rows": [{"name": "a", "value": 1.5}]},'
            b' "server": "s", "public_key": "p", "signature": "x"}',
        ),
        KeptRow.parse,
    ),
    Parser(
        "provider refusals", (b'{"error": {"message": "no"}}', b'{"detail": "no"}'), _find_detail
    ),
    Parser(
        "log lines",
        (b"\x1b[31mred\x1b[0m \x1b]0;t\x07 50%\r100%\n",),
        lambda data: (clean_line(data), split_output(data), refusal("box", data).sentence()),
    ),
)
