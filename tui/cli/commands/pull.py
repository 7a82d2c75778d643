"""`sovdeck pull [SERVER] [VOICE]`: download the packed voice, verified and unpacked."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.params import PARAMS
from sovdeck.remote.voices.community_folder import (
    COMMUNITY,
    CommunityFolder,
    write_community_folder,
)
from sovdeck.remote.voices.download import DownloadedVoice, download_voice, pack_contents
from sovdeck.remote.voices.gptsovits_folder import check_upstream, copy_weights
from sovdeck.remote.voices.transfer_options import TransferOptions
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.server_argument import add_server_argument, open_session, require_voice
from sovdeck.tui.cli.transfer_output import (
    add_limit_option,
    cancel_on_interrupt,
    progress_reporter,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck pull`."""
    add_server_argument(parser)
    parser.add_argument("voice", nargs="?", metavar="VOICE")
    parser.add_argument("--dest", type=Path)
    parser.add_argument("--contents", choices=PARAMS["pack.contents"].choices)
    parser.add_argument("--into", type=Path, metavar="FOLDER")
    parser.add_argument("--community", nargs="?", type=Path, const=Path(), metavar="FOLDER")
    parser.add_argument("--no-verify", action="store_true")
    parser.add_argument("--no-resume", action="store_true")
    add_limit_option(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Download and unpack; with `--into` or `--community` also as other programs have it."""
    if args.into is not None:
        check_upstream(args.into)
    with open_session(args, console) as session, cancel_on_interrupt() as cancel:
        voice = require_voice(args, session)
        downloaded = download_voice(
            session,
            voice,
            args.dest or session.outputs,
            TransferOptions.from_config(
                session.config, progress_reporter(console), cancel, limit_mbit=args.limit
            ),
            verify=session.config.pull.verify and not args.no_verify,
            resume=not args.no_resume,
            contents=args.contents or pack_contents(session.config),
        )
        console.print_message(
            "tui.cli.pulled",
            voice=voice,
            folder=str(downloaded.folder),
            size=format_bytes(downloaded.bytes),
            seconds=round(downloaded.seconds, 1),
        )
        if not downloaded.verified:
            console.print_message("tui.cli.unverified")
        copied = (
            []
            if args.into is None
            else copy_weights(downloaded.files, downloaded.folder, args.into)
        )
        for path in copied:
            console.print_message("tui.cli.placed", path=str(path))
        written = None
        if args.community is not None:
            given = args.community != Path()
            target = args.community / voice if given else downloaded.folder / COMMUNITY
            written = write_community_folder(downloaded.folder, target)
            print_community(written, console)
        record = {"status": "ok", "voice": voice, **download_json(downloaded)}
        record["community"] = None if written is None else str(written.folder)
        console.print_json({**record, "placed": [str(path) for path in copied]})
    return 0


def print_community(written: CommunityFolder, console: Console) -> None:
    """Say where the community's layout lies, and which clips could not be written so."""
    console.print_message("tui.cli.community", folder=str(written.folder), count=len(written.files))
    if written.left_out:
        console.print_message("tui.cli.community_left_out", moods=", ".join(written.left_out))


def download_json(downloaded: DownloadedVoice) -> dict[str, Any]:
    """The downloaded voice as a JSON object."""
    return {
        "zip": str(downloaded.zip),
        "bytes": downloaded.bytes,
        "sha256": downloaded.sha256,
        "verified": downloaded.verified,
        "seconds": round(downloaded.seconds, 2),
        "resumed_bytes": downloaded.resumed_bytes,
        "folder": str(downloaded.folder),
        "files": list(downloaded.archive_names()),
    }
