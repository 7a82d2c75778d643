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
        "--saved", action="store_true", help="also measure what training spoke at its saves"
    )
    parser.add_argument("--votes", type=Path, help="JSON lines {better, worse} of an audition")
    parser.add_argument("--choose", action="store_true", help="let pack take the best pair")


def run(args: argparse.Namespace) -> int:
    from engine.speaking.ballot import standings

    studio, device = open_studio(args)
    folder = studio.work / "auditions" / args.voice
    if args.votes is None:
        rows = _render(args, studio, device, folder)
    else:
        rows = _lines(folder / "table.jsonl")
    found = standings(rows, [] if args.votes is None else _lines(args.votes))
    for place, one in enumerate(found):
        facts = {**vars(one), "score": round(one.score, 4), "penalty": round(one.penalty, 4)}
        if args.json:
            print(json.dumps({"event": "standing", "place": place, **facts}))
        else:
            print(f"{place + 1}. {one.gpt}  {one.sovits}  score {one.score:.2f}"
                  f"  votes {one.won}:{one.lost}")  # fmt: skip
    if args.choose and found:
        from engine.chosen_pair import write_choice

        features = Path(studio.layout.features(args.voice))
        write_choice(features, found[0].gpt, found[0].sovits)
    return 0


def _render(
    args: argparse.Namespace, studio: Studio, device: str, folder: Path
) -> list[dict[str, Any]]:
    from engine.speaking.audition import Audition, Grid
    from engine.speaking.saved_samples import saved_samples

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
    )
    audition = Audition(
        folder, lambda g, s: studio.open(g, s, device), studio.listener(args.asr, device),
        _voice_print(args.similarity, studio), lexicon=studio.lexicon(),
    )  # fmt: skip
    rows = []
    for row in audition.run(grid):
        rows.append(row)
        if args.json:
            print(json.dumps({"event": "cell", "of": grid.cells, **row}, ensure_ascii=False),
                  flush=True)  # fmt: skip
        else:
            print(f"{row['cell']}  {row['seconds']} s  penalty {row['penalty']}", flush=True)
    return rows


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
    from engine.speaking.clips import rank_clips
    from engine.speaking.reference import LONGEST_S, SHORTEST_S
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


def _lines(path: Path) -> list[dict[str, Any]]:
    """JSON objects of a file; Problem when there is none."""
    from engine.contract.problem import ExitCode, Problem

    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise Problem(
            "engine.speaking.no_table", ExitCode.DATA, file=str(path), why=str(error)
        ) from error
    return [line for line in lines if isinstance(line, dict)]
