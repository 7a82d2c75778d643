"""`sovdeck speak [SERVER] [VOICE] [TEXT]`: one take, spoken there and saved here."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.contract.params import PARAMS, check
from engine.contract.problem import ExitCode, Problem
from tui.console import Console, size
from tui.options import Parser
from tui.target import add_server, open_studio, voice_of

if TYPE_CHECKING:
    from remote.shelf import Reference
    from remote.speaker import Piece, Weight
    from remote.studio import Studio

GROUP = "infer."
OWN = ("infer.text",)  # given as the text itself
SHORT = {"infer.rerender_last": ("--rerender",)}
MOST_REFERENCES = 5
PLAY_LOOK_S = 0.2


def add_arguments(parser: Parser) -> None:
    add_server(parser)
    parser.add_argument("voice", nargs="?", metavar="VOICE")
    parser.add_argument("text", nargs="?", metavar="TEXT")
    parser.add_argument("--out", type=Path, metavar="FILE")
    parser.add_argument("--play", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--ref", type=Path, metavar="FILE")
    parser.add_argument("--trim", action="store_true")
    add_engine_options(parser)
    add_params(parser)


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """What every engine that speaks is started with; see `engine_options`."""
    parser.add_argument("--device", default="auto", choices=("auto", "cuda", "cpu"))
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "int8"))
    parser.add_argument("--pretrained", metavar="SET")


def engine_options(args: argparse.Namespace) -> list[str]:
    options = ["--device", args.device, "--precision", args.precision]
    return options + (["--pretrained", args.pretrained] if args.pretrained else [])


def add_params(parser: Parser) -> None:
    """An option for each parameter of speaking, explained by the table."""
    group = parser.add_argument_group("infer")
    for param in PARAMS.values():
        if not param.name.startswith(GROUP) or param.name in OWN:
            continue
        how: dict[str, Any] = {"metavar": param.kind.upper()}
        if param.kind == "paths":
            how["action"] = "append"
        elif param.kind == "bool" and not param.default:
            how = {"action": "store_const", "const": "on"}
        facts = f"{param.help.get(parser.language)} {param.range_text()}".strip()
        if param.name == "infer.verify":
            how, facts = {"metavar": "N"}, parser.told("verify")
        flags = ["--" + param.name.removeprefix(GROUP).replace("_", "-")]
        flags += SHORT.get(param.name, ())
        group.add_argument(*flags, dest=param.name, help=facts.replace("%", "%%"), **how)


def chosen(args: argparse.Namespace) -> dict[str, Any]:
    """The speaking parameters that were given, checked, by their name without prefix."""
    given = {
        name.removeprefix(GROUP): check(name, value)
        for name, value in {**vars(args), **tries(vars(args)["infer.verify"])}.items()
        if name.startswith(GROUP) and value is not None
    }
    given.setdefault("text_lang", "auto")
    return given


def tries(given: str | None) -> dict[str, str]:
    """`--verify 3` means at most three more tries, as for the audition; 0 is off."""
    if given is None or not given.isdecimal():
        return {}
    if int(given) == 0:
        return {"infer.verify": "off"}
    return {"infer.verify": "on", "infer.max_rerolls": given}


def run(args: argparse.Namespace, console: Console) -> int:
    given = chosen(args)
    with open_studio(args, console) as studio:
        voice = voice_of(args, studio)
        if args.list:
            return show_shelf(studio, voice, console)
        given["text"] = words_to_speak(args.text)
        if args.ref is not None:
            given |= borrow(studio, voice, args, given, console)
        path = speak(studio, voice, given, args, console)
    if args.play:
        play(path)
    return int(ExitCode.OK)


def words_to_speak(words: str | None) -> str:
    """The text of the command line, or of standard input for `-`."""
    if words == "-":
        words = sys.stdin.buffer.read().decode("utf-8", "replace")
    if not words or not words.strip():
        raise Problem("tui.speak.no_text", ExitCode.CONFIG)
    return words.strip()


def borrow(
    studio: Studio, voice: str, args: argparse.Namespace, given: dict[str, Any], console: Console
) -> dict[str, Any]:
    """Send the person's own recording as the reference; what that makes of the parameters."""
    from remote.reference_clip import check_length, measure_clip
    from remote.shelf import lend

    here = measure_clip(args.ref)
    if here is not None and not args.trim:
        check_length(here)
    window = here.window if here is not None else None
    text, language = str(given.get("ref_text", "")), str(given.get("ref_lang", ""))
    lent = lend(
        studio, voice, args.ref, window=window, trim=args.trim, text=text, language=language
    )
    console.say("tui.speak.lent", seconds=round(lent.seconds, 2), path=lent.path)
    return {"ref_audio": lent.path}


def speak(
    studio: Studio, voice: str, given: dict[str, Any], args: argparse.Namespace, console: Console
) -> Path:
    """Speak one take and save it here; its file."""
    from remote.speaker import Speaker
    from remote.take_file import TakeFile, takes_folder

    began = time.monotonic()
    console.live("…")
    speaker = Speaker(studio.link(), studio.deployed(), voice, engine_options(args))
    loaded_s = time.monotonic() - began
    folder = takes_folder(Path(studio.config.paths.outputs), voice)
    with speaker, TakeFile.at(args.out) if args.out else TakeFile.next_in(folder, voice) as take:
        asked = time.monotonic()
        first: list[float] = []

        def on_piece(piece: Piece) -> None:
            take.add(piece)
            first.append(round(time.monotonic() - asked, 3))
            console.emit({"event": "piece", **as_json(piece), "arrived_s": first[-1]})
            console.write(f"{piece.seconds:6.2f} s  {piece.text}")
            if piece.attempts > 1:
                console.say("tui.speak.again", attempts=piece.attempts)
            if not piece.ended:
                console.say("tui.speak.ran_on")

        spoken = speaker.speak(given, on_piece)
        path = take.finish(spoken)
    console.say(
        "tui.speak.done", path=str(path), seconds=round(spoken.seconds, 2), seed=spoken.seed,
        first=first[0] if first else 0.0,
    )  # fmt: skip
    console.emit(
        {
            "status": "ok", "voice": voice, "wav": str(path), "seconds": spoken.seconds,
            "seed": spoken.seed, "bytes": spoken.bytes, "sha256": spoken.sha256,
            "pieces": len(first), "loaded_s": round(loaded_s, 2),
            "first_audio_s": first[0] if first else None,
        }
    )  # fmt: skip
    return path


def as_json(piece: Piece) -> dict[str, Any]:
    return {
        "index": piece.index, "text": piece.text, "seconds": round(piece.seconds, 3),
        "ended": piece.ended, "reused": piece.reused, "attempts": piece.attempts,
        "error": piece.error,
    }  # fmt: skip


def play(path: Path) -> None:
    """Sound the take; returns when it has ended."""
    from tui.playback import ChildPlayer

    player = ChildPlayer()
    player.play(path)
    try:
        while player.playing is not None:
            time.sleep(PLAY_LOOK_S)
    finally:
        player.stop()


def show_shelf(studio: Studio, voice: str, console: Console) -> int:
    """The weights by epoch, and the best clips to imitate."""
    from remote.shelf import read_shelf

    found = read_shelf(studio, voice)
    console.emit(
        {
            "voice": voice, "gpt": [vars(one) for one in found.weights.gpt],
            "sovits": [vars(one) for one in found.weights.sovits], "reference": found.own,
            "references": [reference_json(one) for one in found.references],
        }
    )  # fmt: skip
    for kind, weights in (("GPT", found.weights.gpt), ("SoVITS", found.weights.sovits)):
        console.table([(kind, *weight_row(weight)) for weight in weights])
    if not found.weights.gpt and not found.weights.sovits:
        console.say("tui.speak.no_weights", voice=voice)
    best = found.references[:MOST_REFERENCES]
    console.table([(f"{one.seconds:.1f} s", one.language, one.text, one.path) for one in best])
    return int(ExitCode.OK)


def weight_row(weight: Weight) -> tuple[str, str, str]:
    return weight.name, "" if weight.epoch is None else f"e{weight.epoch}", size(weight.bytes)


def reference_json(one: Reference) -> dict[str, Any]:
    return {name: value for name, value in vars(one).items() if name != "peaks"}
