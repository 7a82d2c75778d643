"""Readers of what a server says, to the sentences and screens that are made of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import screens
from reading import CONSOLE, LAYOUT, Answer, Parser, Stream, show

from sovdeck.engine.contract import events as contract_events
from sovdeck.engine.contract.fold import RunState, StageState, fold
from sovdeck.engine.contract.foreign_values import parse_json_object
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.run_summary import RunSummary, parse_summary
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.remote.agent.code_archive import CodeArchive, build_code_archive
from sovdeck.remote.autostop import watchdog
from sovdeck.remote.autostop.keep import fetch_keep_status
from sovdeck.remote.deploy import find_deployed
from sovdeck.remote.deploy.gpu_check import parse_check
from sovdeck.remote.deploy.plan import plan
from sovdeck.remote.deploy.steps import DeployOptions
from sovdeck.remote.deploy.torch_index import WheelNeed, parse_survey
from sovdeck.remote.disk.items import ServerKnowledge, mark_items
from sovdeck.remote.disk.server_disk import parse_usage
from sovdeck.remote.http_json import _find_detail
from sovdeck.remote.jobs.state import derive_state, parse_snapshots
from sovdeck.remote.probe.diagnosis import diagnose
from sovdeck.remote.probe.facts import parse_facts
from sovdeck.remote.probe.probe import probe_server
from sovdeck.remote.probe.providers import find_profile
from sovdeck.remote.probe.telemetry import TelemetryParser
from sovdeck.remote.servers.run_list import RunRow
from sovdeck.remote.speech import json_lines, speech_session, text_reader
from sovdeck.remote.speech.audition import _parse_update
from sovdeck.remote.speech.book_reading import ChapterOfBook, _local_name, _parse_index
from sovdeck.remote.speech.book_reading import _parse_update as _parse_book_update
from sovdeck.remote.speech.voice_assets import _parse_reference
from sovdeck.remote.ssh.login_shell import refusal, split_output
from sovdeck.remote.ssh.remote_tail import LineAssembler, clean_line
from sovdeck.remote.transfer.agent import remote_files, staging
from sovdeck.remote.transfer.sftp import packets
from sovdeck.remote.transfer.sftp.session import SftpSession
from sovdeck.remote.voices import listing, sync_policy
from sovdeck.tui.cli.commands.audition import cell_json, print_grid, print_rerolls
from sovdeck.tui.cli.commands.autostop import print_status
from sovdeck.tui.cli.commands.clean import print_items
from sovdeck.tui.cli.commands.data import print_reading
from sovdeck.tui.cli.commands.deploy import print_step
from sovdeck.tui.cli.commands.gpu import format_sample
from sovdeck.tui.cli.commands.models import print_result
from sovdeck.tui.cli.commands.ps import print_runs
from sovdeck.tui.cli.commands.read import print_chapter, print_doubtful
from sovdeck.tui.cli.commands.speak import print_named, weight_row
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.diagnosis_lines import print_diagnoses
from sovdeck.tui.cli.follow_run import format_notice, format_stage_progress
from sovdeck.tui.cli.watch_runs import change_key, format_row
from sovdeck.tui.services.converters import server_summary, to_job_status, to_telemetry
from sovdeck.tui.state.audition_updates import with_event
from sovdeck.tui.state.run_lines import run_lines
from sovdeck.tui.state.speech_models import AuditionState

PROBED = (
    b"begin 1\nuser root\nhome /root\nsystem Linux\nos Debian 12\nmachine x86_64\nlibc glibc 2.36\n"
    b"root\ncontainer\ncpus 8\ncpu_quota 400000 100000\nmemory_kb 65000000\nmemory_limit 64000000000\n"
    b"disk 99000000 50000000 9000 ext4 yes /root /root\nmark AUTODL\ntool tar yes\n"
    b'python {"path": "/usr/bin/python3", "version": "3.11.2", "prefix": "/usr", "venv": true,'
    b' "writable": true, "cuda": "12.8", "distributions": {"torch": "2.11.0"}}\n'
    b"gpu 0, GPU-1, 535.1, 24564 MiB, 3 MiB, 24000 MiB, 0 %, 0 %, 30, 20.5 W, [N/A], RTX 4090\n"
    b"driver 535.104.05\ncapability 0, 8.9\ntable | NVIDIA-SMI 535.104.05    Driver Version:"
    b" 535.104.05    CUDA Version: 12.2 |\ncore_speed 1.5\ncpu_model EPYC\nshell /bin/bash\n"
    b"identity abc\ncode 0a\npretrained v2\nlist   MIG 1g.5gb     Device  0: (UUID: MIG-1)\n"
    b"source 200 1048576 0.5 https://x\nenvironment {}\nwork /root\nend 2\n"
)

# An engine that wants little: most of a plan's time would be reading what ours wants.
CODE = CodeArchive("c0de", b"", "", ("torch==2.11.*", "torchaudio==2.11.*", "psutil>=7,<8"))
NEED = WheelNeed("cu128", {"torch": "2.11", "torchaudio": "2.11"}, "cp311", "x86_64")

_PRICED = SimpleNamespace(price_per_hour=1.5, currency="USD")

# A server's session, or its list of runs, as far as what is printed asks for it.
BOX: Any = SimpleNamespace(name="box", server=_PRICED, running_on=None)

BOX.session = BOX


def _event(type_: str, payload: dict[str, Any]) -> bytes:
    made = contract_events.Event(0, 1_700_000_000_000, "r1", type_, 1, "gpt", payload)
    return made.to_json().encode()


_TEXTS = {"en": "no", "zh": "不"}

PAYLOADS: dict[str, dict[str, Any]] = {
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

ONE_EACH = tuple(_event(kind, PAYLOADS[kind]) for kind in contract_events.REQUIRED_FIELDS)


def _numbered() -> bytes:
    return b"\n".join(
        line.replace(b'"seq": 0', b'"seq": %d' % number) for number, line in enumerate(ONE_EACH)
    )


def read_events(data: bytes) -> object:
    """An event's whole way: line, fold, the sentences of the command line, the dashboard's store."""
    lines = LineAssembler().feed(data + b"\n")
    found = [one for line in lines if (one := contract_events.parse_event(line.data)) is not None]
    state = fold(RunState(), found)
    for event in found:
        run_lines([event])
        show(partial(_print_event, event))
    for stage in state.stages:
        format_stage_progress(stage)
    sync_policy.validation_scores(state)
    (snapshot,) = parse_snapshots("now 5\nboot b\nrun r1\n")
    row = RunRow("box", derive_state(snapshot), state)
    change_key(row), format_row(row, CONSOLE)
    show(partial(print_runs, [BOX], [(row,)]))
    screens.show_run(found)
    return found


def _print_event(event: contract_events.Event, console: Console) -> None:
    console.print_line(format_notice(event, console))
    console.print_json({"event": event.type, "stage": event.stage, **event.payload})


def read_snapshots(data: bytes) -> object:
    """The answer of state.sh, to the rows of `ps`."""
    snapshots = parse_snapshots(data.decode("utf-8", "replace"))
    for snapshot in snapshots:
        state = derive_state(snapshot)
        to_job_status("box", state)
        row = RunRow("box", state, RunState())
        format_row(row, CONSOLE)
        show(partial(print_runs, [BOX], [(row,)]))
    return snapshots


def read_probe(data: bytes) -> object:
    """The answer of probe.sh, to what doctor and the Servers screen say."""
    facts = probe_server(cast(Any, Answer(data)))
    profile = find_profile("auto", "host", facts.provider_marks)
    show(partial(print_diagnoses, diagnose(facts, "host", profile)))
    try:
        plan(facts, DeployOptions(), CODE, profile)
    except Problem as problem:
        problem.sentence()
    server_summary(facts, (), None)
    return facts.gpus and facts.disks and facts.sources and facts.pythons


def read_survey(data: bytes) -> object:
    """What the package indexes answered, to the steps of a deployment."""
    survey = parse_survey(data.decode("utf-8", "replace"), by_laptop=False)
    facts = parse_facts(PROBED.decode())
    profile = find_profile("auto", "host", facts.provider_marks)
    try:
        for step in plan(facts, DeployOptions(), CODE, profile, survey):
            show(partial(print_step, step))
    except Problem as problem:
        problem.sentence()
    return survey.best(NEED)


def read_telemetry(data: bytes) -> object:
    """The output of telemetry.sh in two halves, to what the gauges show."""
    parser, shown = TelemetryParser(), []
    for part in (data[: len(data) // 2], data[len(data) // 2 :]):
        if (sample := parser.feed(part, 5)) is not None:
            shown.append(to_telemetry(sample))
            screens.show_telemetry(shown[-1])
            format_sample(sample)
    return shown


def read_deployed(data: bytes) -> object:
    """The record of an earlier deployment."""
    return find_deployed(cast(Any, Answer(data)), DeployOptions())


def _deployed() -> bytes:
    record = {
        "work": "/w",
        "python": "/w/env/bin/python",
        "env": {"A": "b"},
        "environment_key": DeployOptions().environment_key(build_code_archive()),
        "build": "cu128",
        "gpu": True,
        "provider": "plain",
    }
    return b"deployed " + json.dumps(record).encode() + b"\ndriver 570.86.15\ncode\n"


def read_autostop(data: bytes) -> object:
    """The status of the watchdog, to what the command says of it."""
    status = watchdog.fetch_watchdog_status(cast(Any, Answer(data)), LAYOUT)
    show(partial(print_status, cast(Any, BOX), status))
    return status


def read_sftp(data: bytes) -> object:
    """An SFTP server's packets: hello, opening a file, its attributes."""
    session = SftpSession(cast(Any, Stream(data)))
    found = session.open("x", packets.FOR_READING)
    session.close_file(found[0])
    try:
        session.open("y", packets.FOR_READING)
    except Problem as problem:
        problem.sentence()
    return found


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


def read_agent(data: bytes) -> object:
    """Each answer of the transfer agent; a Problem of one keeps no other from being tried."""
    link = cast(Any, Answer(data))
    files = [remote_files.RemoteFile("a", 1, 2), remote_files.RemoteFile("b", 3, 4)]
    wanted = [staging.StagingRecord("a", 1, "0" * 64)]
    calls: tuple[Callable[[], object], ...] = (
        lambda: remote_files.fetch_digest(link, "p", 5),
        lambda: remote_files.fetch_identity(link, "p"),
        lambda: remote_files.list_files(link, "f"),
        lambda: remote_files.fetch_sha256_sums(link, "f", files),
        lambda: staging.begin_contents(link, "f", wanted),
        lambda: staging.query_staged(link, "f", wanted, 4),
        lambda: staging.commit_staged(link, "f", wanted),
    )
    answered = 0
    for call in calls:
        try:
            call()
            answered += 1
        except Problem as problem:
            problem.sentence()
    return answered


def read_speech(data: bytes) -> object:
    """JSON lines of the engine: problems, weights, readings, auditions, references."""
    lines = json_lines.JsonLines(cast(Any, Stream(data)), "box", max_bytes=1 << 20)
    found: list[object] = []
    while (message := lines.next()) is not None:
        found.append(json_lines.parse_engine_problem(message))
        text_reader.parse_reading(message)
        weights = speech_session.parse_weights(message)
        rendered, clip = _parse_update(message), _parse_reference(message)
        told = _parse_book_update(message)
        found += [rendered, clip, told]
        show(partial(print_reading, message))
        show(partial(print_result, "box", message, "v2"))
        show(partial(_print_spoken, (*weights.gpt, *weights.sovits), rendered, clip, told))
    return any(one is not None for one in found)


def _print_spoken(
    weights: Sequence[Any], rendered: Any, clip: Any, told: Any, console: Console
) -> None:
    console.print_table([weight_row(one) for one in weights])
    screens.show_voice(weights, clip)
    if rendered is not None:
        grid = with_event(AuditionState("box", "Mei"), rendered, Path("a.wav"))
        print_grid(grid, console)
        screens.show_grid(grid)
        screens.show_grid(replace(grid, running=True))
        for cell in grid.cells:
            print_rerolls(cell, console)
            console.print_json(cell_json(cell))
    if clip is not None:
        print_named("Mei", clip, console)
    if isinstance(told, ChapterOfBook):
        print_chapter(told, [Path("1.wav")], console)


def read_book_table(data: bytes) -> object:
    """The table of a book's reading: chapters, and sentences that are doubtful."""
    index = _parse_index(parse_object(data))
    for chapter in index.chapters:
        for file in chapter.files:
            _local_name(chapter, file)
    show(partial(print_doubtful, index))
    return index.chapters and index.doubtful


def parse_object(data: bytes) -> dict[str, Any]:
    """The object that `data` is; what is none is refused by its own reader, and empty here."""
    try:
        return parse_json_object(data)
    except ValueError:
        return {}


def read_voice_list(data: bytes) -> object:
    """The files of voices on a server, and where they would go here."""
    link = cast(Any, Answer(data))
    return [
        (listing.as_checkpoint(file, {}), listing.local_path(voice, file.path))
        for voice in listing.list_voices(link, LAYOUT)
        for file in remote_files.list_files(link, "/w")
    ]


def read_usage(data: bytes) -> object:
    """The sizes of a server's work folder, to the lines of `clean`."""
    found, now = parse_usage(data.decode("utf-8", "replace"))
    items = mark_items(found, ServerKnowledge())
    show(lambda console: print_items(console, items, now))
    return items


def read_specs(data: bytes) -> object:
    """The specs of all runs."""
    newest = listing.newest_run(cast(Any, Answer(data)), LAYOUT)
    RunSpec.from_json(data.decode("utf-8", "replace"))
    return newest


SERVER_PARSERS = (
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
        (PROBED,),
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
        (_deployed(),),
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
            b'{"sources": [{"base": "b", "layout": "index", "address": "a", "wheels": {"torch": "2.11.0", "torchaudio": "2.11.0"},'
            b' "bytes": 5, "speed": 2.5}], "plain": ["x"], "failed": {"a": "b"}}',
        ),
        read_survey,
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
            b"begun 0\nend 1\n",
        ),
        read_agent,
    ),
    Parser(
        "engine answers",
        (
            b'{"code": "engine.a.b", "message": {"en": "x", "zh": "y"}, "exit_code": 3}\n'
            b'{"event": "weights", "gpt": [{"name": "a", "epoch": 1}], "loaded": ["a", "b"]}\n'
            b'{"pieces": [{"language": "zh", "text": "x", "phones": ["a"]}],'
            b' "lost": [{"index": 1, "char": "y"}]}\n'
            b'{"whole": true, "files": [{"state": "there", "name": "a.pth", "bytes": 5}]}\n'
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
        "disk usage",
        (b"now 9\nsize code 4 code/a\ntime code 5 code/a\nsize states 7 logs/Mei/states\n",),
        read_usage,
    ),
    Parser("run specs", (RunSpec("r1", "Mei").to_json().replace("\n", "").encode(),), read_specs),
    Parser(
        "book tables",
        (
            b'{"title": "Storm", "checked": true, "chapters": [{"number": 1, "title": "One",'
            b' "seconds": 5.5, "files": [{"name": "001.mp3", "bytes": 9, "sha256": "'
            + b"0"
            * 64
            + b'"}]}], "doubtful": [{"sentence": 2, "chapter": 1, "start": 0.5,'
            b' "doubts": ["long"], "text": "x", "heard": "y", "bytes": 9, "sha256": "'
            + b"0" * 64
            + b'"}]}',
        ),
        read_book_table,
    ),
    Parser(
        "kept states",
        (b"policy resume_states 604800\nremoved 1700000000 512 Mei\n",),
        lambda data: fetch_keep_status(cast(Any, Answer(data)), LAYOUT).removed,
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
