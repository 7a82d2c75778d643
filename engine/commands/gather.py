"""`gather`: a `.list` of a folder of recordings, to proofread."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.optional_models import WHISPER
from sovdeck.engine.runtime.console import output_language, print_notice

if TYPE_CHECKING:
    from sovdeck.engine.prepare.gather import GatherResult

NAME = "gather"
HELP = "write a .list of a folder of recordings: cut at pauses, transcribed where a model is given"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `gather`."""
    parser.add_argument("folder", type=Path, help="recordings, with or without .txt or .lab files")
    parser.add_argument("--list", type=Path, required=True, help="the .list to write")
    parser.add_argument("--speaker", default="", help="name of the speaker (default: the list's)")
    parser.add_argument("--language", choices=("zh", "ja", "en", "ko", "yue"), help="of all texts")
    parser.add_argument(
        "--recogniser",
        type=Path,
        help="folder of a faster-whisper model (default: the one below --work, where it is)",
    )
    parser.add_argument("--work", type=Path, help="work folder, to find a recogniser in")


def run(args: argparse.Namespace) -> int:
    """Write the list and print its counts and problems."""
    # Here: these import numpy and torch, and `--help` must answer at once.
    from sovdeck.engine.prepare.gather import gather
    from sovdeck.engine.prepare.transcribe import WhisperTranscriber

    folder = args.recogniser
    if folder is None and args.work is not None and WHISPER.is_complete(args.work / "pretrained"):
        folder = args.work / "pretrained" / WHISPER.folder
    transcriber = WhisperTranscriber(folder) if folder else None
    print_notice(transcriber.notice if transcriber else None)
    gathered = gather(
        args.folder,
        args.list,
        speaker=args.speaker or args.list.stem,
        language=args.language,
        transcriber=transcriber,
        report=_print_progress if args.json else None,
    )
    facts = {
        "file": str(gathered.list_file),
        "clips": gathered.clips,
        "untold": gathered.untranscribed,
    }
    if args.json:
        _print_clips(gathered)
        problems = [problem.as_json() for problem in gathered.problems]
        sha256 = file_sha256(gathered.list_file)
        size = gathered.list_file.stat().st_size
        written = {**facts, "bytes": size, "sha256": sha256, "problems": problems}
        print(json.dumps({"event": "written", **written}), flush=True)
    else:
        for problem in gathered.problems:
            print(problem.sentence(output_language()))
        print(text("engine.gather.written", **facts).get(output_language()))
    return 0


def _print_progress(done: int, recordings: int, clips: int, words: str) -> None:
    facts = {"event": "progress", "done": done, "of": recordings, "clips": clips, "text": words}
    print(json.dumps(facts), flush=True)


def _print_clips(gathered: GatherResult) -> None:
    """Name the clips beside the list, so that they can be fetched to be listened to."""
    folder = gathered.list_file.parent.resolve()
    for path in gathered.paths:
        if path.resolve().is_relative_to(folder / "wavs"):
            name = path.resolve().relative_to(folder).as_posix()
            print(json.dumps({"event": "clip", "path": name, "bytes": path.stat().st_size}))
