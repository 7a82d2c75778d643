"""Downloads a voice as one zip: pulled, verified, unpacked beside it."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from sovdeck.engine.contract.foreign_values import parse_whole_number
from sovdeck.engine.contract.layout import check_voice_name
from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.autostop import watchdog
from sovdeck.remote.config.schema import ProjectConfig
from sovdeck.remote.servers.deployed_server import DeployedServer
from sovdeck.remote.speech.json_lines import EngineProblem, run_engine_command
from sovdeck.remote.speech.takes import PRESERVED_FOLDERS
from sovdeck.remote.ssh.client import SSHConnection
from sovdeck.remote.ssh.retry import retry_on_new_connection
from sovdeck.remote.transfer.core.context import wait_for
from sovdeck.remote.transfer.core.progress import TransferMeter
from sovdeck.remote.transfer.download.file import pull
from sovdeck.remote.voices import unpack
from sovdeck.remote.voices.community_folder import COMMUNITY
from sovdeck.remote.voices.download_index import DownloadIndex
from sovdeck.remote.voices.listing import version_of
from sovdeck.remote.voices.transfer_options import TransferOptions

# Bytes of the pack $1, if it is there and no clip in the folder $2 was added or named after it.
_SIZE_OF_NEWEST = (
    'test -f "$1" && test -z "$(find "$2" -newer "$1" 2>/dev/null | head -n 1)" && wc -c <"$1"'
)
PACK_TIMEOUT_S = 3600.0  # many gigabytes on a slow network disk


@dataclass(frozen=True)
class DownloadedVoice:
    """A voice on this computer: its zip, and the files unpacked below `folder`.

    sha256: of the zip, hex; None when it was not verified. seconds: of the transfer.
    """

    zip: Path
    bytes: int
    sha256: str | None
    seconds: float
    resumed_bytes: int
    folder: Path
    files: tuple[Path, ...]

    @property
    def verified(self) -> bool:
        """Whether the zip was compared with the server's."""
        return self.sha256 is not None

    def archive_names(self) -> tuple[str, ...]:
        """The files' paths in the archive."""
        return tuple(path.relative_to(self.folder).as_posix() for path in self.files)


def download_voice(
    server: DeployedServer,
    voice: str,
    outputs: Path,
    options: TransferOptions,
    *,
    verify: bool = True,
    resume: bool = True,
    contents: str | None = None,
) -> DownloadedVoice:
    """Pull `packs/VOICE.zip` into `outputs` and unpack it as `outputs/VOICE`.

    contents: what of the voice to download; None takes the pack that the last run left. Anything
    else, a missing pack, or a reference named since has the engine pack the voice first, which
    needs as much disk space on the server as the zip. An earlier unpacked copy is replaced only by
    a whole new one.
    """
    check_voice_name(voice)
    connection, deployed = server.connection(), server.require_deployment()
    path = deployed.layout.pack(voice)
    newest = ["sh", "-c", _SIZE_OF_NEWEST, "sh", str(path), str(deployed.layout.references(voice))]
    size = parse_whole_number(connection.run(newest).out.decode("ascii", "replace").strip()) or 0
    if contents is not None or not size:
        what = ["--work", str(deployed.layout.work)]
        what += [] if contents is None else ["--contents", contents]
        _pack_on_server(server, connection, voice, what, options)
    folder, files = outputs / voice, []

    def unpack_zip(zip_path: Path) -> None:
        files.extend(
            unpack.extract(
                zip_path,
                folder,
                name=f"{voice}.zip",
                replace=True,
                preserve=(*PRESERVED_FOLDERS, COMMUNITY),
                cancel=options.cancel,
            )
        )

    # Before it takes its name: an archive that is refused replaces no earlier one.
    pulled = pull(
        server.connect,
        str(path),
        outputs,
        report=options.report,
        cancel=options.cancel,
        verify=verify,
        resume=resume,
        bandwidth=options.bandwidth,
        size=size,
        tuning=options.tuning,
        accept=unpack_zip,
    )
    if not files:  # it was here already
        unpack_zip(pulled.path)
    if pulled.sha256 is not None:
        index, version = DownloadIndex(outputs), version_of(pulled.bytes, pulled.mtime)
        remote_path = path.relative_to(deployed.layout.work).as_posix()
        facts = (remote_path, version, pulled.bytes, pulled.sha256, pulled.path)
        index.add(index.verified_file(connection.name, *facts))
        # A server that waits for this may switch itself off now.
        retry_on_new_connection(
            connection,
            server.connect,
            lambda live: watchdog.mark_pulled(live, deployed.layout, voice, version),
        )
    return DownloadedVoice(
        pulled.path,
        pulled.bytes,
        pulled.sha256,
        pulled.seconds,
        pulled.resumed_bytes,
        folder,
        tuple(files),
    )


def _pack_on_server(
    server: DeployedServer,
    connection: SSHConnection,
    voice: str,
    arguments: list[str],
    options: TransferOptions,
) -> None:
    """Have the engine write `packs/VOICE.zip`; Problem `pack_failed` with its own sentence.

    The same voice gives the same bytes, so a download that was interrupted goes on after it.
    """
    meter, answer = TransferMeter(), Future[None]()
    meter.phase = "pack"
    deployed = server.require_deployment()

    def pack(live: SSHConnection) -> None:
        run_engine_command(live, deployed, ["pack", voice, *arguments], timeout=PACK_TIMEOUT_S)

    def work() -> None:
        try:
            answer.set_result(retry_on_new_connection(connection, server.connect, pack))
        except BaseException as error:  # noqa: BLE001 - raised where the answer is awaited
            answer.set_exception(error)

    threading.Thread(target=work, name="pack", daemon=True).start()
    try:
        wait_for(
            answer, options.cancel, options.tuning.tick, lambda: options.report(meter.progress())
        )
    except EngineProblem as problem:
        facts = {"voice": voice, "server": connection.name, "why": problem.message}
        raise Problem("remote.job.pack_failed", ExitCode.DATA, **facts) from problem


def pack_contents(config: ProjectConfig) -> str | None:
    """The `contents` of [pull]; None for the ordinary pack, which every run leaves behind."""
    contents = config.pull.contents
    return None if contents == PARAMS["pack.contents"].default else contents
