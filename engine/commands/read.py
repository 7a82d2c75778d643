"""`read NAME BOOK`: a long text spoken chapter by chapter, resumable at any sentence."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.book.chapters import Book
from sovdeck.engine.contract.book.read_book import read_book
from sovdeck.engine.contract.number_options import whole
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.settings import SpeakSettings, convert_speak_params
from sovdeck.engine.speaking.arguments import (
    add_infer_arguments,
    add_precision_argument,
    add_voice_arguments,
    given_infer_params,
    open_voice_loader,
)
from sovdeck.engine.speaking.book.reading_record import recorded_options, write_reading_record

if TYPE_CHECKING:
    from sovdeck.engine.speaking.pipeline import SpeechPipeline
    from sovdeck.engine.speaking.request import SpeakRequest
    from sovdeck.engine.speaking.voice_loader import VoiceLoader

NAME = "read"
HELP = "speak a book (txt, md, epub, srt, vtt) into one sound file a chapter, with subtitles"

_SEED = 1234  # one that stays: called again, the same sentences sound the same
# Seconds of speech a character at a slow pace, in a script with words and in one without.
_PACE_S, _EAST_ASIAN_PACE_S = 0.08, 0.3
_BYTES_PER_S = 64_000
_NOT_OF_A_BOOK = ("text", "slice", "rerender_last", "early")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `read`."""
    add_voice_arguments(parser)
    parser.add_argument("book", type=Path, help="txt, md, epub, srt or vtt file")
    parser.add_argument("--into", type=Path, required=True, help="folder for sounds and subtitles")
    parser.add_argument("--format", default="wav", choices=("wav", "mp3"))
    parser.add_argument("--whole", action="store_true", help="also one file of all chapters")
    parser.add_argument("--reference", metavar="NAME", help="a reference that was added: a mood")
    parser.add_argument(
        "--redo",
        type=whole(1, 10_000_000),
        action="append",
        default=[],
        metavar="SENTENCE",
        help="speak this sentence once more, another way; repeatable",
    )
    parser.add_argument(
        "--keep",
        type=whole(1, 10_000_000),
        action="append",
        default=[],
        metavar="SENTENCE",
        help="this sentence was heard and is good: it is doubtful no longer; repeatable",
    )
    parser.add_argument(
        "--again", action="store_true", help="with the options that the reading began with"
    )
    parser.add_argument(
        "--check", action="store_true", help="speak nothing, only see that all is there for it"
    )
    add_precision_argument(parser)
    add_infer_arguments(parser, without=_NOT_OF_A_BOOK)


def run(args: argparse.Namespace) -> int:
    """Read the book aloud, or only look whether that is possible."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.speaking.book.book_reader import BookReader
    from sovdeck.engine.speaking.weights import require_weights

    if args.again:
        args = _as_it_began(args)
    book = read_book(args.book)
    loader, device = open_voice_loader(args)
    settings = _settings(args, loader)
    checks = settings.verify and _has_recogniser(args, loader)
    pair = loader.gpt_path(settings.gpt_weight), loader.sovits_path(settings.sovits_weight)
    require_weights(*pair)
    loader.require_encoders(pair[1])
    request = _request(settings)
    _require_disk_space(args.into, book)
    _print(args, {"event": "book", "checks": checks, **_book_facts(book)})
    if args.check:
        return 0
    write_reading_record(args.into, args.book.name, _options(args, pair))

    def open_pipeline() -> SpeechPipeline:
        pipeline = loader.open_pipeline(*pair, device, args.precision)
        if checks:
            pipeline.recogniser = loader.open_recogniser(args.asr, device)
        return pipeline

    reader = BookReader(
        book,
        args.into,
        request,
        _voice_key(args, loader, pair, request),
        open_pipeline,
        kind=args.format,
        checks=checks,
    )
    for row in reader.read(frozenset(args.redo), args.whole, frozenset(args.keep)):
        _print(args, row)
    return 0


def _options(args: argparse.Namespace, pair: tuple[Path, Path]) -> list[str]:
    """The options with which the same sentences would be spoken, whatever is trained meanwhile."""
    found = [f"--{name}={getattr(args, name)}" for name in ("format", "device", "precision")]
    found += ["--whole"] if args.whole else []
    for name in ("reference", "pretrained", "asr", "words", "g2pw"):
        if getattr(args, name) is not None:
            found.append(f"--{name}={getattr(args, name)}")
    gpt, sovits = (str(path) for path in pair)
    for name, value in {
        **given_infer_params(args),
        "gpt_weight": gpt,
        "sovits_weight": sovits,
    }.items():
        for one in value if isinstance(value, list) else [value]:
            found.append(f"--{name.replace('_', '-')}={one}")
    return found


def _as_it_began(args: argparse.Namespace) -> argparse.Namespace:
    """The arguments with the options that are recorded beside the sentences."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    here = [args.voice, str(args.book), f"--into={args.into}", f"--work={args.work}"]
    here += [f"--redo={number}" for number in args.redo]
    here += [f"--keep={number}" for number in args.keep]
    found = parser.parse_args([*here, *recorded_options(args.into)])
    return argparse.Namespace(**{**vars(args), **vars(found)})


def _settings(args: argparse.Namespace, loader: VoiceLoader) -> SpeakSettings:
    given = convert_speak_params(given_infer_params(args))
    prepared = {} if given.get("ref_audio") else loader.prepared_reference()
    if args.reference is not None:
        try:
            prepared = loader.named_reference(args.reference)
        except KeyError:
            known = ", ".join(loader.reference_names()) or "-"
            facts = {"voice": loader.voice, "name": args.reference, "known": known}
            raise Problem("engine.book.no_reference", ExitCode.CONFIG, **facts) from None
    if not prepared and not given.get("ref_audio"):
        raise Problem("engine.speaking.no_reference", ExitCode.DATA, voice=loader.voice)
    defaults = {"text_lang": "auto", "seed": _SEED, "text": "-"}
    settings = SpeakSettings.from_params({**defaults, **prepared, **given})
    if given.get("verify") and not _has_recogniser(args, loader):
        folder = str(_recogniser_folder(args, loader))
        raise Problem("engine.speaking.nobody_listens", ExitCode.CONFIG, folder=folder)
    return settings


def _request(settings: SpeakSettings) -> SpeakRequest:
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.speaking.reference import read_reference
    from sovdeck.engine.speaking.request import SpeakRequest

    request = SpeakRequest.from_settings(settings)
    read_reference(request.ref_audio, check_length=True)
    return request


def _recogniser_folder(args: argparse.Namespace, loader: VoiceLoader) -> Path:
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.prepare.sources import RECOGNISER_FOLDER

    return args.asr or Path(loader.layout.pretrained / RECOGNISER_FOLDER)


def _has_recogniser(args: argparse.Namespace, loader: VoiceLoader) -> bool:
    return args.asr is not None or _recogniser_folder(args, loader).is_dir()


def _voice_key(
    args: argparse.Namespace, loader: VoiceLoader, pair: tuple[Path, Path], request: SpeakRequest
) -> str:
    """Digest of what lies outside of the request and decides the sound."""
    files = [*pair, request.ref_audio, *request.aux_refs]
    facts = [[file_sha256(file) for file in files], loader.lexicon().digest, args.precision]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _require_disk_space(folder: Path, book: Book) -> None:
    """Problem when the sentences, and the chapters made of them, would fill the disk."""
    wide = sum(char >= "\u2e80" for one in book.sentences for char in one.text)
    seconds = wide * _EAST_ASIAN_PACE_S + (book.characters - wide) * _PACE_S
    folder.mkdir(parents=True, exist_ok=True)
    need, free = int(2 * seconds * _BYTES_PER_S), shutil.disk_usage(folder).free
    have = free + sum(path.stat().st_size for path in folder.rglob("*.wav"))
    if need > have:
        facts = {"folder": str(folder), "need": -(-need >> 20), "have": have >> 20}
        raise Problem("engine.book.disk_low", ExitCode.DATA, **facts)


def _book_facts(book: Book) -> dict[str, Any]:
    return {
        "title": book.title,
        "chapters": len(book.chapters),
        "sentences": book.sentence_count,
        "characters": book.characters,
        "encoding": book.encoding,
    }


def _print(args: argparse.Namespace, row: dict[str, Any]) -> None:
    if args.json:
        print(json.dumps(row, ensure_ascii=False), flush=True)
    elif row["event"] == "sentence":
        print(f"{row['number']}/{row['of']}  {row['seconds']:6.2f} s  {row['text']}", flush=True)
    elif row["event"] == "chapter":
        names = "  ".join(str(file["name"]) for file in row["files"])
        print(f"{row['title']}  {row['seconds']:.0f} s  {names}", flush=True)
    elif row["event"] == "read":
        print(
            f"{row['sentences']} sentences, {row['fresh']} spoken now, {row['doubtful']} doubtful"
        )
