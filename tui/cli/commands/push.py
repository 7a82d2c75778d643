"""`sovdeck push [SERVER] --voice NAME --list FILE | --wavs FOLDER`: send a dataset."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

from sovdeck.engine.contract.dataset.items import LANGUAGE_TAGS, find_lists
from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.preflight.push import check_push
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.transfer.upload.push import PushResult
from sovdeck.remote.voices.dataset import LocalRecordings, push_recordings, select_recordings
from sovdeck.remote.voices.run_spec import planned_run
from sovdeck.remote.voices.transcription import (
    TranscriptionProgress,
    find_bare_recordings,
    push_bare_recordings,
    transcribe,
)
from sovdeck.remote.voices.transfer_options import TransferOptions
from sovdeck.tui.cli.check_list import check_list
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.prompts import TerminalDialog
from sovdeck.tui.cli.server_argument import add_server_argument, open_session
from sovdeck.tui.cli.transfer_output import (
    add_limit_option,
    cancel_on_interrupt,
    progress_reporter,
)
from sovdeck.tui.cli.weights_offer import offer_whisper


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck push`."""
    add_server_argument(parser)
    parser.add_argument("--list", type=Path)
    parser.add_argument("--wavs", type=Path)
    parser.add_argument("--voice")
    parser.add_argument("--language", choices=sorted(set(LANGUAGE_TAGS.values())))
    parser.add_argument("--transcribe", action="store_true")
    parser.add_argument("--skip-faults", action="store_true")
    add_limit_option(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Upload the dataset; recordings without a list are cut and transcribed there first."""
    with open_session(args, console) as session, cancel_on_interrupt() as cancel:
        voice = args.voice or session.config.train.voice
        if not voice:
            raise Problem("tui.cli.no_voice", ExitCode.CONFIG)
        list_file, wavs = find_dataset_paths(session, args, voice)
        if list_file is None or args.transcribe:
            if wavs is None:
                raise Problem("tui.cli.no_list", ExitCode.CONFIG)
            return push_and_transcribe(session, args, voice, wavs, console, cancel)
        recordings = check_recordings(session, args, voice, list_file, wavs, console)
        for notice in check_push(session, recordings, planned_run(session, voice)):
            console.print_json({"level": "warning", **notice.as_json()})
            console.print_line(notice.sentence(console.language))
        pushed = push_recordings(session, recordings, _options(session, args, console, cancel))
        _print_pushed(session, voice, pushed, console)
    return 0


def find_dataset_paths(
    session: ServerSession, args: argparse.Namespace, voice: str
) -> tuple[Path | None, Path | None]:
    """List and recordings that the options name, else those of deploy.toml.

    A folder of recordings may hold its own list, as `push` itself brings it back.
    """
    config = session.config.dataset
    wavs = args.wavs or (Path(config.wavs) if config.wavs and not args.list else None)
    if args.list or (config.list and not args.wavs):
        return args.list or Path(config.list), wavs
    if wavs is None:
        return None, None
    if not wavs.exists():
        raise Problem("remote.data.no_recordings", ExitCode.DATA, folder=str(wavs))
    if wavs.is_dir():
        found = find_lists(wavs)
        own = [path for path in found if path.stem == voice] or list(found)
        if len(own) > 1:
            count = len(own)
            raise Problem("engine.data.which_list", ExitCode.DATA, folder=str(wavs), count=count)
        return (own[0] if own else None), wavs
    brought = find_bare_recordings(voice, wavs).list_file
    return (brought if brought.is_file() else None), wavs


def check_recordings(
    session: ServerSession,
    args: argparse.Namespace,
    voice: str,
    list_file: Path,
    wavs: Path | None,
    console: Console,
) -> LocalRecordings:
    """Judge every clip as the server will; Problem when some are unusable and must not be."""
    if wavs is not None and (wavs.is_file() or list_file.parent == wavs):
        wavs = None  # the list names its clips relative to itself
    recordings = select_recordings(voice, check_list(list_file, wavs, console))
    for problem in recordings.problems:
        console.print_json({"level": "problem", **problem.as_json()})
        console.print_line(problem.sentence(console.language))
    if recordings.problems and not args.skip_faults:
        facts = {"count": len(recordings.problems), "clips": len(recordings.files)}
        if not TerminalDialog(console).confirm("tui.cli.offer_skip", server=session.name, **facts):
            raise Problem("tui.cli.faults_stop", ExitCode.DATA, **facts)
    return recordings


def push_and_transcribe(
    session: ServerSession,
    args: argparse.Namespace,
    voice: str,
    source: Path,
    console: Console,
    cancel: threading.Event,
) -> int:
    """Send bare recordings, let the server cut and write them down, bring the list home."""
    recordings = find_bare_recordings(voice, source)
    console.print_message(
        "tui.cli.bare_found",
        count=len(recordings.recordings),
        folder=str(source),
        size=format_bytes(recordings.bytes),
    )
    session.require_deployment()
    heard = offer_whisper(session, console)
    options = _options(session, args, console, cancel)
    pushed = push_bare_recordings(session, recordings, options)
    _print_pushed(session, voice, pushed, console)

    def report(progress: TranscriptionProgress) -> None:
        facts = {
            "done": progress.done,
            "recordings": progress.recordings,
            "clips": progress.clips,
        }
        console.print_json({"progress": "transcribe", **facts, "text": progress.text})
        console.show_status(
            f"{progress.done + 1}/{progress.recordings}  {progress.clips}  {progress.text[:60]}"
        )

    written = transcribe(session, recordings, options, report, language=args.language)
    for problem in written.problems:
        console.print_line(problem.sentence(console.language))
    facts = {"file": str(written.list_file), "clips": written.clips, "untold": written.untold}
    key = "tui.cli.transcribed" if heard and not written.untold else "tui.cli.cut_only"
    command = f"sovdeck push {session.name} --voice {voice} --wavs {source}"
    console.print_message(key, server=session.name, voice=voice, command=command, **facts)
    console.print_json({"status": "ok", "voice": voice, **facts})
    return int(ExitCode.OK)


def _options(
    session: ServerSession, args: argparse.Namespace, console: Console, cancel: threading.Event
) -> TransferOptions:
    return TransferOptions.from_config(
        session.config, progress_reporter(console), cancel, limit_mbit=args.limit
    )


def _print_pushed(session: ServerSession, voice: str, pushed: PushResult, console: Console) -> None:
    console.print_message(
        "tui.cli.pushed",
        server=session.name,
        sent=pushed.sent_files,
        size=format_bytes(pushed.sent_bytes),
        kept=pushed.kept_files,
    )
    console.print_json(
        {
            "status": "ok",
            "voice": voice,
            "folder": str(session.layout().dataset(voice)),
            "sent_files": pushed.sent_files,
            "sent_bytes": pushed.sent_bytes,
            "kept_files": pushed.kept_files,
            "seconds": round(pushed.seconds, 2),
        }
    )
