"""`sovdeck speak [SERVER] [VOICE] [TEXT]`: synthesise a text on the server, save the wav here."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.foreign_values import parse_whole_number
from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.settings import convert_speak_params
from sovdeck.engine.contract.voice_assets import ReferenceClip, WeightFile
from sovdeck.remote.preflight.other_runs import beside_text, find_active_runs
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.reference_clip import check_length, measure_clip
from sovdeck.remote.speech.speech_session import SAMPLE_RATE, SpeechChunk, SpeechSession
from sovdeck.remote.speech.takes import TakeFile, takes_folder
from sovdeck.remote.speech.voice_assets import (
    name_reference,
    read_voice_assets,
    upload_reference,
)
from sovdeck.tui.audio.stream_player import StreamPlayer
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.parser import LocalizedParser
from sovdeck.tui.cli.playback import play_file
from sovdeck.tui.cli.record_reference import record_reference
from sovdeck.tui.cli.server_argument import add_server_argument, open_session, require_voice

PARAM_PREFIX = "infer."
POSITIONAL_PARAMS = ("infer.text",)  # the TEXT argument
OPTION_ALIASES = {"infer.rerender_last": ("--rerender",)}
MAX_REFERENCES = 5
LOADING_STEPS = ("start", "sovits", "encoders", "gpt")  # of the engine, in order


def add_arguments(parser: LocalizedParser) -> None:
    """Add the options of `sovdeck speak`."""
    add_server_argument(parser)
    parser.add_argument("voice", nargs="?", metavar="VOICE")
    parser.add_argument("text", nargs="?", metavar="TEXT")
    parser.add_argument("--out", type=Path, metavar="FILE")
    parser.add_argument("--play", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--ref", type=Path, metavar="FILE")
    parser.add_argument("--ref-name", metavar="NAME")
    parser.add_argument("--reference", metavar="NAME")
    parser.add_argument("--record", nargs="?", const="", metavar="MICROPHONE")
    parser.add_argument("--trim", action="store_true")
    add_engine_options(parser)
    add_param_options(parser)


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every speaking engine starts with; see `engine_options`."""
    parser.add_argument("--device", default="auto", choices=("auto", "cuda", "cpu"))
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "int8"))
    parser.add_argument("--pretrained", metavar="SET")


def engine_options(args: argparse.Namespace) -> list[str]:
    """Those options as arguments of the engine."""
    options = ["--device", args.device, "--precision", args.precision]
    return options + (["--pretrained", args.pretrained] if args.pretrained else [])


def add_param_options(
    parser: LocalizedParser, without: Collection[str] = POSITIONAL_PARAMS
) -> None:
    """Add an option for each parameter of inference, explained by the parameter table."""
    group = parser.add_argument_group("infer")
    for param in PARAMS.values():
        if not param.name.startswith(PARAM_PREFIX) or param.name in without:
            continue
        kwargs: dict[str, Any] = {"metavar": param.kind.upper()}
        if param.kind == "paths":
            kwargs["action"] = "append"
        elif param.kind == "bool" and not param.default:
            kwargs = {"action": "store_const", "const": "on"}
        help_text = f"{param.help.get(parser.language)} {param.range_text()}".strip()
        if param.name == "infer.verify":
            kwargs, help_text = {"metavar": "N"}, parser.option_text("verify")
        flags = ["--" + param.name.removeprefix(PARAM_PREFIX).replace("_", "-")]
        flags += OPTION_ALIASES.get(param.name, ())
        group.add_argument(*flags, dest=param.name, help=help_text.replace("%", "%%"), **kwargs)


def speech_params(args: argparse.Namespace) -> dict[str, Any]:
    """The given inference parameters, checked, by their names without prefix."""
    given: dict[str, Any] = convert_speak_params(
        {
            name.removeprefix(PARAM_PREFIX): value
            for name, value in {**vars(args), **reroll_params(vars(args)["infer.verify"])}.items()
            if name.startswith(PARAM_PREFIX) and value is not None
        }
    )
    given.setdefault("text_lang", "auto")
    return given


def reroll_params(given: str | None) -> dict[str, str]:
    """Parameters of `--verify N`: at most N more attempts; 0 turns recognition off."""
    most = parse_whole_number(given)
    if most is None:
        return {}
    if most == 0:
        return {"infer.verify": "off"}
    return {"infer.verify": "on", "infer.max_rerolls": str(most)}


def run(args: argparse.Namespace, console: Console) -> int:
    """Speak the text, list the voice's weights, or upload a reference first."""
    given = speech_params(args)
    with open_session(args, console) as session:
        voice = require_voice(args, session)
        if args.list:
            return print_voice_assets(session, voice, console)
        if args.text is not None or not args.ref_name:
            given["text"] = read_text(args.text)
        if args.record is not None:
            folder = session.app_paths.data_folder / "references"
            args.ref = record_reference(folder, args.record, console)
        given |= prepare_reference(session, voice, args, given, console)
        if "text" not in given:
            return int(ExitCode.OK)
        for run in find_active_runs(session):
            console.print_line(beside_text(session, run).get(console.language))
        with contextlib.ExitStack() as playing:
            player = playing.enter_context(StreamPlayer(SAMPLE_RATE)) if args.play else None
            path = speak(session, voice, given, args, console, player)
            heard = player is not None and player.finish()
    if args.play and not heard:
        play_file(path)
    return int(ExitCode.OK)


def read_text(argument: str | None) -> str:
    """The text of the command line, or of standard input for `-`; Problem when it is empty."""
    if argument == "-":
        argument = sys.stdin.buffer.read().decode("utf-8", "replace")
    if not argument or not argument.strip():
        raise Problem("tui.speak.no_text", ExitCode.CONFIG)
    return argument.strip()


def prepare_reference(
    session: ServerSession,
    voice: str,
    args: argparse.Namespace,
    given: dict[str, Any],
    console: Console,
) -> dict[str, Any]:
    """Send, name or choose the reference that the options ask for; the parameter that uses it."""
    if args.ref is not None:
        return send_reference(session, voice, args, given, console)
    if args.ref_name:
        if not given.get("ref_audio"):
            raise Problem("tui.speak.no_clip_to_name", ExitCode.CONFIG, name=args.ref_name)
        named = name_reference(session, voice, given["ref_audio"], args.ref_name)
        print_named(voice, named, console)
        return {"ref_audio": named.path}
    return {} if args.reference is None else {"ref_audio": args.reference}


def print_named(voice: str, named: ReferenceClip, console: Console) -> None:
    """Say what a clip is called now."""
    console.print_message("tui.speak.reference_named", voice=voice, name=named.name)
    console.print_json({"event": "reference", **reference_json(named)})


def send_reference(
    session: ServerSession,
    voice: str,
    args: argparse.Namespace,
    given: dict[str, Any],
    console: Console,
) -> dict[str, Any]:
    """Upload the person's own recording as reference; returns the parameter that uses it."""
    clip = measure_clip(args.ref)
    if clip is not None and not args.trim:
        check_length(clip)
    window = clip.window if clip is not None else None
    text, language = str(given.get("ref_text", "")), str(given.get("ref_lang", ""))
    uploaded = upload_reference(
        session,
        voice,
        args.ref,
        window=window,
        trim=args.trim,
        text=text,
        language=language,
        reference_name=args.ref_name or "",
    )
    console.print_message(
        "tui.speak.reference_sent", seconds=round(uploaded.seconds, 2), path=uploaded.path
    )
    print_named(voice, uploaded, console)
    return {"ref_audio": uploaded.path}


def speak(
    session: ServerSession,
    voice: str,
    given: dict[str, Any],
    args: argparse.Namespace,
    console: Console,
    player: StreamPlayer | None = None,
) -> Path:
    """Speak one take and save it; returns the wav's path. `player` plays it as it comes."""
    load_started = time.monotonic()

    def show_loading(step: str) -> None:
        seconds = int(time.monotonic() - load_started)
        what = text(f"tui.speak.loading_{step if step in LOADING_STEPS else 'start'}")
        line = text("tui.speak.loading", voice=voice, what=what, seconds=seconds)
        console.show_status(line.get(console.language))

    show_loading("start")
    speech = SpeechSession(
        session.connection(),
        session.require_deployment(),
        voice,
        engine_options(args),
        show_loading,
    )
    loaded_s = time.monotonic() - load_started
    folder = takes_folder(session.outputs, voice)
    with speech, TakeFile.at(args.out) if args.out else TakeFile.next_in(folder, voice) as take:
        requested = time.monotonic()
        arrivals: list[float] = []
        first_sound: list[float] = []

        def on_chunk(chunk: SpeechChunk) -> None:
            take.add_chunk(chunk)
            arrivals.append(round(time.monotonic() - requested, 3))
            console.print_json({"event": "piece", **chunk_json(chunk), "arrived_s": arrivals[-1]})
            console.print_line(f"{chunk.seconds:6.2f} s  {chunk.text}")
            if chunk.attempts > 1:
                console.print_message("tui.speak.again", attempts=chunk.attempts)
            if not chunk.ended:
                console.print_message("tui.speak.ran_on")

        def on_sound(samples: bytes) -> None:
            if not first_sound:
                first_sound.append(round(time.monotonic() - requested, 3))
            if player is not None:
                player.write(samples)

        result = speech.speak(given, on_chunk, on_sound=on_sound)
        path = take.finish(result)
    for notice in result.notices:
        if notice.key != "engine.speaking.reached_limit":  # said when its piece came
            console.print_line(notice.sentence(console.language))
    console.print_message(
        "tui.speak.done",
        path=str(path),
        seconds=round(result.seconds, 2),
        seed=result.seed,
        first=first_sound[0] if first_sound else 0.0,
    )
    console.print_json(
        {
            "status": "ok",
            "voice": voice,
            "wav": str(path),
            "seconds": result.seconds,
            "seed": result.seed,
            "bytes": result.bytes,
            "sha256": result.sha256,
            "pieces": len(arrivals),
            "loaded_s": round(loaded_s, 2),
            "first_audio_s": first_sound[0] if first_sound else None,
            "notices": [notice.as_json() for notice in result.notices],
        }
    )
    return path


def chunk_json(chunk: SpeechChunk) -> dict[str, Any]:
    """One spoken chunk as a JSON object, without its samples."""
    return {
        "index": chunk.index,
        "text": chunk.text,
        "seconds": round(chunk.seconds, 3),
        "ended": chunk.ended,
        "reused": chunk.reused,
        "attempts": chunk.attempts,
        "error": chunk.error,
    }


def print_voice_assets(session: ServerSession, voice: str, console: Console) -> int:
    """Print the weights by epoch, and the best reference clips."""
    assets = read_voice_assets(session, voice)
    console.print_json(
        {
            "voice": voice,
            "gpt": [vars(reference) for reference in assets.weights.gpt],
            "sovits": [vars(one) for one in assets.weights.sovits],
            "reference": assets.default_reference,
            "references": [reference_json(one) for one in assets.references],
        }
    )
    for kind, weights in (("GPT", assets.weights.gpt), ("SoVITS", assets.weights.sovits)):
        console.print_table([(kind, *weight_row(weight)) for weight in weights])
    if not assets.weights.gpt and not assets.weights.sovits:
        console.print_message("tui.speak.no_weights", voice=voice)
    best = assets.references[:MAX_REFERENCES]
    console.print_table(
        [(f"{one.seconds:.1f} s", one.name, one.language, one.text, one.path) for one in best]
    )
    return int(ExitCode.OK)


def weight_row(weight: WeightFile) -> tuple[str, str, str, str]:
    """The table row of one weight file."""
    return (
        weight.name,
        weight.version,
        "" if weight.epoch is None else f"e{weight.epoch}",
        format_bytes(weight.bytes),
    )


def reference_json(one: ReferenceClip) -> dict[str, Any]:
    """One reference clip as a JSON object, without its waveform."""
    hidden = ("peaks", "came_from")
    return {name: value for name, value in vars(one).items() if name not in hidden}
