"""`audition NAME`: render epochs against epochs, rank them, and choose the pair to pack."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.number_options import amount, whole
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.reference_segment import is_reference_length
from sovdeck.engine.contract.settings import SpeakSettings
from sovdeck.engine.speaking.arguments import add_voice_arguments, open_voice_loader

if TYPE_CHECKING:
    from sovdeck.engine.speaking.audition import AuditionGrid, Sentence
    from sovdeck.engine.speaking.clip_ranking import TranscribedClip
    from sovdeck.engine.speaking.metrics import SpeakerEmbedder
    from sovdeck.engine.speaking.request import SpeakRequest
    from sovdeck.engine.speaking.voice_loader import VoiceLoader

_CELL_BYTES = 2 << 20  # half a minute of 16-bit sound at 32 kHz

NAME = "audition"
HELP = "speak the same sentences with several epochs, measure each, and recommend a pair"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `audition`."""
    add_voice_arguments(parser)
    parser.add_argument("--gpt", nargs="*", default=[], help="GPT files (default: newest three)")
    parser.add_argument("--sovits", nargs="*", default=[], help="SoVITS files (newest three)")
    parser.add_argument("--text", action="append", default=[], help="a sentence; repeatable")
    parser.add_argument("--text-lang", default="auto", help="language of --text")
    parser.add_argument(
        "--references", type=whole(1, 100), default=1, help="how many clips to imitate"
    )
    parser.add_argument(
        "--seed", type=whole(-1, 2**32 - 1), default=1234, help="the same for every cell"
    )
    parser.add_argument(
        "--pitch", type=amount(-24, 24), default=0.0, help="semitones, in every cell"
    )
    parser.add_argument(
        "--similarity",
        type=Path,
        nargs="?",
        const=Path(),
        metavar="FILE",
        help="compare voices with resemblyzer's weights (default: the installed package's)",
    )
    parser.add_argument(
        "--verify",
        type=whole(0, 100),
        default=0,
        metavar="N",
        help="speak a sentence again, at most N times, when recognition misses words",
    )
    parser.add_argument(
        "--saved", action="store_true", help="also measure what training spoke at its saves"
    )
    parser.add_argument("--votes", type=Path, help="also count JSON lines {better, worse}")
    parser.add_argument("--choose", action="store_true", help="let pack take the best pair")
    parser.add_argument("--show", action="store_true", help="render nothing, show the last one")
    parser.add_argument(
        "--check", action="store_true", help="render nothing, only see that all is there for it"
    )
    parser.add_argument(
        "--vote",
        nargs=2,
        action="append",
        default=[],
        metavar=("BETTER", "WORSE"),
        help="render nothing, count a vote between two cells",
    )
    parser.add_argument(
        "--pick", nargs=2, metavar=("GPT", "SOVITS"), help="render nothing, let pack take this pair"
    )


def run(args: argparse.Namespace) -> int:
    """Render or rank as the arguments say; print cells and standings."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.speaking.audition_results import AuditionResults, read_json_lines

    work = args.work.resolve()
    features = Path(Layout.at(work.as_posix()).features(args.voice))
    results = AuditionResults(work / "auditions" / args.voice, features)
    if args.check:
        _check(args, results.folder)
        return 0
    for better, worse in args.vote:
        results.add_vote(better, worse)
    if args.pick:
        results.choose_pair(*args.pick)
    if args.show:
        for row in results.rows():
            _print_cell(row, len(results.rows()), args)
    elif args.votes is None and not args.vote and not args.pick:
        _render(args, results.folder)
    extra_votes = [] if args.votes is None else read_json_lines(args.votes)
    ranked = results.standings(extra_votes)
    for position, standing in enumerate(ranked):
        facts = {
            **vars(standing),
            "score": round(standing.score, 4),
            "penalty": round(standing.penalty, 4),
        }
        if args.json:
            print(json.dumps({"event": "standing", "place": position, **facts}))
        else:
            print(
                f"{position + 1}. {standing.gpt}  {standing.sovits}  score {standing.score:.2f}"
                f"  votes {standing.won}:{standing.lost}"
            )
    if args.choose and ranked:
        results.choose_pair(ranked[0].gpt, ranked[0].sovits)
    if args.json:
        votes = len(results.votes()) + len(extra_votes)
        summary = {"votes": votes, "stale": results.count_stale(), "chosen": results.chosen_pair()}
        print(json.dumps({"event": "ranked", **summary}))
    return 0


def _print_cell(row: dict[str, Any], cells: int, args: argparse.Namespace) -> None:
    if args.json:
        print(json.dumps({"event": "cell", "of": cells, **row}, ensure_ascii=False), flush=True)
    else:
        print(f"{row['cell']}  {row['seconds']} s  penalty {row['penalty']}", flush=True)


def _check(args: argparse.Namespace, folder: Path) -> None:
    """Raise the Problem that would keep the grid from being rendered."""
    loader, _ = open_voice_loader(args)
    grid = _plan_grid(args, loader, folder)
    for sovits in grid.sovits:
        loader.require_encoders(sovits)
    if args.json:
        print(json.dumps({"event": "checked", "cells": grid.row_count}))


def _render(args: argparse.Namespace, folder: Path) -> None:
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.speaking.audition import AuditionRenderer

    loader, device = open_voice_loader(args)
    grid = _plan_grid(args, loader, folder)
    audition = AuditionRenderer(
        folder,
        lambda g, s: loader.open_pipeline(g, s, device),
        loader.open_recogniser(args.asr, device),
        _open_speaker_embedder(args.similarity, loader),
        lexicon=loader.lexicon(),
    )
    for row in audition.render(grid):
        _print_cell(row, grid.row_count, args)


def _plan_grid(args: argparse.Namespace, loader: VoiceLoader, folder: Path) -> AuditionGrid:
    """The grid that the arguments ask for; Problem when something for it is not there."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.prepare.sources import RECOGNISER_FOLDER
    from sovdeck.engine.speaking.audition import AuditionGrid
    from sovdeck.engine.speaking.saved_samples import saved_samples
    from sovdeck.engine.speaking.weights import require_weights

    settings = SpeakSettings.from_params(
        {
            "text_lang": args.text_lang,
            "max_rerolls": args.verify,
            "seed": args.seed,
            "pitch": args.pitch,
        }
    )
    gpt = _weight_files(args.gpt, loader.gpt_path, [w.path for w in loader.gpt_weights()])
    sovits = _weight_files(
        args.sovits, loader.sovits_path, [w.path for w in loader.sovits_weights()]
    )
    clips = loader.clips()
    references = _reference_requests(loader, clips, args.references, settings.pitch)
    imitated = {request.ref_audio for request in references}
    sentences = _sentences(
        args, settings.text_lang, [clip for clip in clips if clip.path not in imitated]
    )
    _report_lost(sentences, loader, args.json)
    grid = AuditionGrid(
        gpt=gpt,
        sovits=sovits,
        references=references,
        sentences=sentences,
        seed=settings.seed,
        initial_pair=loader.initial_pair(folder / "base"),
        saved_samples=saved_samples(loader.layout, args.voice) if args.saved else (),
        rerolls=settings.max_rerolls,
    )
    require_weights(*grid.gpt, *grid.sovits)
    recogniser = loader.layout.pretrained / RECOGNISER_FOLDER
    if grid.rerolls and args.asr is None and not Path(recogniser).is_dir():
        raise Problem("engine.speaking.nobody_listens", ExitCode.CONFIG, folder=str(recogniser))
    _require_disk_space(loader.work, grid)
    return grid


def _require_disk_space(work: Path, grid: AuditionGrid) -> None:
    need, have = grid.row_count * _CELL_BYTES, shutil.disk_usage(work).free
    if need > have:
        raise Problem(
            "engine.speaking.disk_low",
            ExitCode.DATA,
            folder=str(work),
            need=-(-need >> 20),
            have=have >> 20,
        )


def _report_lost(sentences: Sequence[Sentence], loader: VoiceLoader, as_json: bool) -> None:
    """Say which characters have no sound; Problem where that is a whole sentence."""
    from sovdeck.engine.runtime.console import print_notice
    from sovdeck.engine.text.reader import describe_guess, describe_lost, find_lost_or_refuse

    for number, sentence in enumerate(sentences):
        lost = find_lost_or_refuse(sentence.text, sentence.language, loader.lexicon())
        guess = describe_guess(sentence.text, sentence.language)
        if guess is not None and not as_json:
            print_notice(guess)
        if not lost:
            continue
        if as_json:
            event = {"event": "unread", "sentence": number}
            print(json.dumps({**event, "lost": [one.as_json() for one in lost]}), flush=True)
        else:
            print_notice(describe_lost(lost))


def _open_speaker_embedder(requested: Path | None, loader: VoiceLoader) -> SpeakerEmbedder | None:
    """Open the speaker embedder; None unless --similarity is given, with or without a file."""
    if requested is None:
        return None
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.speaking.speaker_similarity import (
        ResemblyzerEmbedder,
        find_embedder_weights,
    )

    weight_file = None if requested == Path() else requested
    return ResemblyzerEmbedder(find_embedder_weights(weight_file, Path(loader.layout.pretrained)))


def _reference_requests(
    loader: VoiceLoader, clips: Sequence[TranscribedClip], count: int, pitch: float
) -> list[SpeakRequest]:
    """Requests to fill in: the best clips of the voice, else the one its preparation chose."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.speaking.clip_ranking import rank_clips
    from sovdeck.engine.speaking.request import SpeakRequest

    candidates = [
        {"ref_audio": str(s.clip.path), "ref_text": s.clip.text, "ref_lang": s.clip.language}
        for s in [s for s in rank_clips(clips) if is_reference_length(s.seconds)][:count]
    ]
    if not candidates and loader.prepared_reference():
        candidates = [loader.prepared_reference()]
    if not candidates:
        raise Problem("engine.speaking.no_reference", ExitCode.DATA, voice=loader.voice)
    given = {"text": "-", "pitch": pitch}
    return [SpeakRequest.from_params({**given, **params}) for params in candidates]


def _sentences(
    args: argparse.Namespace, language: str, clips: Sequence[TranscribedClip]
) -> list[Sentence]:
    """The sentences of --text, else those of two recordings, which are the ground truth."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.speaking.audition import Sentence

    typed = [Sentence(text, language) for text in args.text]
    if typed:
        return typed
    if not clips:
        raise Problem("engine.speaking.no_sentence", ExitCode.CONFIG, voice=args.voice)
    middle = sorted(clips, key=lambda clip: abs(len(clip.text) - 20))[:2]
    return [Sentence(clip.text, clip.language, clip.path) for clip in middle]


def _weight_files(names: Sequence[str], resolve: Any, all_files: Sequence[Path]) -> list[Path]:
    if names:
        return [resolve(name) for name in names]
    return list(all_files[-3:]) or [resolve("")]
