"""`gather`: a `.list` of a folder of recordings, to proofread."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

NAME = "gather"
HELP = "write a .list of a folder of recordings: cut at pauses, transcribed where a model is given"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="recordings, with or without .txt or .lab files")
    parser.add_argument("--list", type=Path, required=True, help="the .list to write")
    parser.add_argument("--speaker", default="", help="name of the speaker (default: the list's)")
    parser.add_argument("--language", choices=("zh", "ja", "en", "ko", "yue"), help="of all texts")
    parser.add_argument("--recogniser", type=Path, help="folder of a faster-whisper model")


def run(args: argparse.Namespace) -> int:
    from engine.cli import language, remark
    from engine.contract.catalogue import text
    from engine.prepare.gather import gather
    from engine.prepare.transcribe import Whisper

    recogniser = Whisper(args.recogniser) if args.recogniser else None
    remark(recogniser.notice if recogniser else None)
    gathered = gather(
        args.folder,
        args.list,
        speaker=args.speaker or args.list.stem,
        language=args.language,
        recogniser=recogniser,
    )
    facts = {
        "file": str(gathered.list_file), "clips": gathered.clips, "untold": gathered.untold,
    }  # fmt: skip
    problems = [problem.as_json() for problem in gathered.problems]
    if args.json:
        print(json.dumps({**facts, "problems": problems}, ensure_ascii=False))
    else:
        for problem in gathered.problems:
            print(problem.sentence(language()))
        print(text("engine.gather.written", **facts).get(language()))
    return 0
