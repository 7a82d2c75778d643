"""`audition NAME`: render epochs against epochs, rank them, and choose the pair to pack."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.speaking.arguments import add_studio, open_studio

if TYPE_CHECKING:
    from engine.speaking.audition import Sentence
    from engine.speaking.clips import Clip
    from engine.speaking.marks import VoicePrint
    from engine.speaking.request import SpeakRequest
    from engine.speaking.studio import Studio

NAME = "audition"
HELP = "speak the same sentences with several epochs, measure each, and recommend a pair"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_studio(parser)
    parser.add_argument("--gpt", nargs="*", default=[], help="GPT files (default: newest three)")
    parser.add_argument("--sovits", nargs="*", default=[], help="SoVITS files (newest three)")
    parser.add_argument("--text", action="append", default=[], help="a sentence; repeatable")
    parser.add_argument("--text-lang", default="auto", help="language of --text")
    parser.add_argument("--references", type=int, default=1, help="how many clips to imitate")
    parser.add_argument("--seed", type=int, default=1234, help="the same for every cell")
    parser.add_argument(
        "--similarity", type=Path, nargs="?", const=Path(), metavar="FILE",
        help="compare voices with resemblyzer's weights (default: the installed package's)",
    )  # fmt: skip
    parser.add_argument(
        "--verify", type=int, default=0, metavar="N",
        help="speak a sentence again, at most N times, when recognition misses words",
    )  # fmt: skip
    parser.add_argument(
        "--saved", action="store_true", help="also measure what training spoke at its saves"
    )
    parser.add_argument("--votes", type=Path, help="also count JSON lines {better, worse}")
    parser.add_argument("--choose", action="store_true", help="let pack take the best pair")
    parser.add_argument("--show", action="store_true", help="render nothing, show the last one")
    parser.add_argument("--vote", nargs=2, action="append", default=[], metavar=("BETTER", "WORSE"),
                        help="render nothing, count a vote between two cells")  # fmt: skip
    parser.add_argument("--pick", nargs=2, metavar=("GPT", "SOVITS"),
                        help="render nothing, let pack take this pair")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    from engine.contract.layout import Layout
    from engine.speaking.results import Results, read_lines

    work = args.work.resolve()
    features = Path(Layout.at(work.as_posix()).features(args.voice))
    results = Results(work / "auditions" / args.voice, features)
    for better, worse in args.vote:
        results.vote(better, worse)
    if args.pick:
        results.choose(*args.pick)
    if args.show:
        for row in results.rows():
            _tell_cell(row, len(results.rows()), args)
    elif args.votes is None and not args.vote and not args.pick:
        _render(args, results.folder)
    more = [] if args.votes is None else read_lines(args.votes)
    found = results.standings(more)
    for place, one in enumerate(found):
        facts = {**vars(one), "score": round(one.score, 4), "penalty": round(one.penalty, 4)}
        if args.json:
            print(json.dumps({"event": "standing", "place": place, **facts}))
        else:
            print(f"{place + 1}. {one.gpt}  {one.sovits}  score {one.score:.2f}"
                  f"  votes {one.won}:{one.lost}")  # fmt: skip
    if args.choose and found:
        results.choose(found[0].gpt, found[0].sovits)
    if args.json:
        votes = len(results.votes()) + len(more)
        told = {"votes": votes, "stale": results.stale(), "chosen": results.chosen()}
        print(json.dumps({"event": "ranked", **told}))
    return 0


def _tell_cell(row: dict[str, Any], cells: int, args: argparse.Namespace) -> None:
    if args.json:
        print(json.dumps({"event": "cell", "of": cells, **row}, ensure_ascii=False), flush=True)
    else:
        print(f"{row['cell']}  {row['seconds']} s  penalty {row['penalty']}", flush=True)


def _render(args: argparse.Namespace, folder: Path) -> None:
    from engine.contract.params import check
    from engine.contract.problem import ExitCode, Problem
    from engine.prepare.sources import RECOGNISER_FOLDER
    from engine.speaking.audition import Audition, Grid
    from engine.speaking.saved_samples import saved_samples

    studio, device = open_studio(args)
    clips = studio.clips()
    references = _references(studio, clips, args.references)
    used = {request.ref_audio for request in references}
    grid = Grid(
        gpt=_files(args.gpt, studio.gpt_path, [w.path for w in studio.gpt_weights()]),
        sovits=_files(args.sovits, studio.sovits_path, [w.path for w in studio.sovits_weights()]),
        references=references,
        sentences=_sentences(args, [clip for clip in clips if clip.path not in used]),
        seed=args.seed,
        base=studio.base_pair(folder / "base"),
        saved=saved_samples(studio.layout, args.voice) if args.saved else (),
        rerolls=int(check("infer.max_rerolls", args.verify)),
    )
    listener = studio.listener(args.asr, device)
    if grid.rerolls and listener is None:
        looked = str(studio.layout.pretrained / RECOGNISER_FOLDER)
        raise Problem("engine.speaking.nobody_listens", ExitCode.CONFIG, folder=looked)
    audition = Audition(
        folder, lambda g, s: studio.open(g, s, device), listener,
        _voice_print(args.similarity, studio), lexicon=studio.lexicon(),
    )  # fmt: skip
    for row in audition.run(grid):
        _tell_cell(row, grid.rows, args)


def _voice_print(asked: Path | None, studio: Studio) -> VoicePrint | None:
    """Who judges the voices: nobody unless --similarity is given, with or without a file."""
    if asked is None:
        return None
    from engine.speaking.voice_print import SpeakerPrint, find_weights

    given = None if asked == Path() else asked
    return SpeakerPrint(find_weights(given, Path(studio.layout.pretrained)))


def _references(studio: Studio, clips: Sequence[Clip], most: int) -> list[SpeakRequest]:
    """Requests to fill in: the best clips of the voice, else the one its preparation chose."""
    from engine.contract.problem import ExitCode, Problem
    from engine.contract.stretch import LONGEST_S, SHORTEST_S
    from engine.speaking.clips import rank_clips
    from engine.speaking.request import SpeakRequest

    given = [
        {"ref_audio": str(s.clip.path), "ref_text": s.clip.text, "ref_lang": s.clip.language}
        for s in rank_clips(clips)[:most]
        if SHORTEST_S <= s.seconds <= LONGEST_S
    ]
    if not given and studio.reference():
        given = [studio.reference()]
    if not given:
        raise Problem("engine.speaking.no_reference", ExitCode.DATA, voice=studio.voice)
    return [SpeakRequest.from_params({"text": "-", **one}) for one in given]


def _sentences(args: argparse.Namespace, clips: Sequence[Clip]) -> list[Sentence]:
    """What was typed, else the words of two recordings, whose truth can be heard beside."""
    from engine.contract.problem import ExitCode, Problem
    from engine.speaking.audition import Sentence

    typed = [Sentence(text, args.text_lang) for text in args.text]
    if typed:
        return typed
    if not clips:
        raise Problem("engine.speaking.no_sentence", ExitCode.CONFIG, voice=args.voice)
    middle = sorted(clips, key=lambda clip: abs(len(clip.text) - 20))[:2]
    return [Sentence(clip.text, clip.language, clip.path) for clip in middle]


def _files(names: Sequence[str], find: Any, all_files: Sequence[Path]) -> list[Path]:
    if names:
        return [find(name) for name in names]
    return list(all_files[-3:]) or [find("")]
