"""GPU providers: which disk lasts and for how long, how a server is switched off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pip._internal.models.index import PyPI

from sovdeck.engine.contract.catalogue import Text, hint, text

_HOURS_A_DAY = 24


@dataclass(frozen=True)
class KeptFolder:
    """A folder that outlives a stop.

    hours: for how long; None is as long as it is paid for. own_disk: only where it is a disk of
    its own; without one the path is part of the container, which a stop deletes.
    """

    folder: str
    hours: int | None = None
    own_disk: bool = False

    def holds(self, work: str, mount: str) -> bool:
        """Whether the work folder, on the disk mounted at `mount` ("" unknown), is kept."""
        path = PurePosixPath(work)
        inside = path.is_relative_to(self.folder)
        return inside and not (self.own_disk and mount == "/")


@dataclass(frozen=True)
class ProviderProfile:
    """One provider.

    folders: candidates for the work folder, best first ("~" is the home folder).
    caches: environment of every run, relative to the work folder, so that a small system disk
    does not fill up. stop: the way of agent/stop_server.py that switches the server off and keeps
    its disk; "" where there is none. kept: what a stop leaves; None where nobody knows, () where
    it is nothing. warnings: catalogue keys.
    """

    name: str
    folders: tuple[str, ...]
    stop: str = ""
    kept: tuple[KeptFolder, ...] | None = None
    warnings: tuple[str, ...] = ()
    caches: Mapping[str, str] = field(
        default_factory=lambda: {
            "HF_HOME": "cache/huggingface",
            "XDG_CACHE_HOME": "cache",
            "TMPDIR": "tmp",
        }
    )

    def warning_texts(self) -> tuple[Text, ...]:
        """Return what one should know before renting there, each with what to do about it."""
        both = ((text(key), hint(key)) for key in self.warnings)
        return tuple(
            Text(f"{said.en} {more.en}".strip(), f"{said.zh}{more.zh}") for said, more in both
        )

    def kept_text(self, work: str, mount: str = "") -> Text:
        """Return what a stop or the end of the rental leaves of the work folder, and how long."""
        if self.kept is None:
            return text("remote.probe.kept_unknown", work=work)
        kept = next((one for one in self.kept if one.holds(work, mount)), None)
        if kept is None:
            return text("remote.probe.kept_not", work=work)
        if kept.hours is None:
            return text("remote.probe.kept_paid", work=work)
        if kept.hours <= _HOURS_A_DAY:
            return text("remote.probe.kept_hours", work=work, hours=kept.hours)
        return text("remote.probe.kept_days", work=work, days=kept.hours // _HOURS_A_DAY)


# Facts and their sources: notes on ten providers, 2026-11. A stop that deletes, or one that nobody
# has seen work, is left out on purpose.
PROVIDER_PROFILES: Mapping[str, ProviderProfile] = {
    profile.name: profile
    for profile in (
        # A bare address: the container's own environment may name its provider.
        ProviderProfile("plain", ("~/sovdeck",), stop="auto"),
        ProviderProfile(
            "autodl",
            ("/root/autodl-tmp/sovdeck", "/root/sovdeck"),
            stop="autodl",
            kept=(KeptFolder("/", hours=15 * _HOURS_A_DAY),),
            warnings=("remote.probe.autodl_release",),
        ),
        ProviderProfile(
            "runpod",
            ("/workspace/sovdeck", "~/sovdeck"),
            stop="runpod",
            kept=(KeptFolder("/workspace", own_disk=True),),
            warnings=("remote.probe.runpod_volume",),
        ),
        ProviderProfile(
            "vast",
            ("/workspace/sovdeck", "~/sovdeck"),
            stop="vast",
            kept=(KeptFolder("/"),),
            warnings=("remote.probe.vast_storage",),
        ),
        ProviderProfile(
            "gpushare",
            ("/hy-tmp/sovdeck", "~/sovdeck"),
            kept=(KeptFolder("/hy-tmp", hours=_HOURS_A_DAY),),
            warnings=("remote.probe.gpushare_day",),
        ),
        ProviderProfile(
            "matpool",
            ("~/sovdeck", "/mnt/sovdeck"),
            kept=(KeptFolder("/mnt"),),
            warnings=("remote.probe.matpool_release",),
        ),
        ProviderProfile(
            "featurize",
            ("/home/featurize/data/sovdeck", "/home/featurize/work/sovdeck", "~/sovdeck"),
            kept=(KeptFolder("/home/featurize/work"),),
            warnings=("remote.probe.featurize_release",),
        ),
        # Lambda has no stop, only termination, which takes the disk with it.
        ProviderProfile(
            "lambda",
            ("~/sovdeck",),
            kept=(KeptFolder("/lambda/nfs"),),
            warnings=("remote.probe.lambda_terminate",),
        ),
        ProviderProfile(
            "paperspace",
            ("~/sovdeck",),
            kept=(KeptFolder("/"),),
            warnings=("remote.probe.paperspace_storage",),
        ),
        ProviderProfile(
            "digitalocean",
            ("~/sovdeck",),
            kept=(KeptFolder("/"),),
            warnings=("remote.probe.digitalocean_billed",),
        ),
    )
}

# What is shown for a way to stop.
STOP_SHOWN = {
    "autodl": "/usr/bin/shutdown",
    "runpod": "runpodctl pod stop, https://rest.runpod.io",
    "vast": "https://console.vast.ai/api",
}
_HOST_ENDINGS = (
    ("autodl", (".seetacloud.com", ".autodl.com", ".autodl.pro", ".gpuhub.com")),
    ("runpod", (".runpod.io", ".runpod.net")),
    ("vast", (".vast.ai",)),
    ("gpushare", (".gpushare.com",)),
    ("matpool", (".matpool.com",)),
    ("featurize", (".featurize.cn",)),
    ("lambda", (".lambdalabs.com", ".lambda.ai")),
    ("paperspace", (".paperspacegradient.com", ".paperspace.com")),
)
# What probe.sh found on the server: names of environment variables, or of files and folders.
_PROVIDER_MARKS = (
    ("autodl", ("AutoDLContainerUUID", "autodl-tmp")),
    ("runpod", ("RUNPOD_POD_ID",)),
    ("vast", ("VAST_CONTAINERLABEL", "vast_capabilities")),
    ("gpushare", ("hy-tmp",)),
    ("matpool", ("MATCLOUD_CANCELTOKEN", "matncli")),
    ("featurize", ("featurize",)),
    ("lambda", ("lambda",)),
    ("paperspace", ("paperspace",)),
    ("digitalocean", ("digitalocean",)),
)
# Environment variables that tell a provider; only whether they are set is asked.
MARK_VARIABLES = (
    "AutoDLContainerUUID",
    "RUNPOD_POD_ID",
    "RUNPOD_VOLUME_ID",
    "VAST_CONTAINERLABEL",
    "MATCLOUD_CANCELTOKEN",
)
# The index that pip itself takes packages from.
PLAIN_INDEX: str = PyPI.simple_url
# Where packages and weights come from; `doctor` says which of them the server reaches.
REACHED_HUBS = (
    f"{PLAIN_INDEX}/pip/",
    "https://download.pytorch.org/whl/",
    "https://huggingface.co/robots.txt",
    "https://hf-mirror.com/robots.txt",
    "https://www.modelscope.cn/robots.txt",
)
RUNPOD_PROXY = "ssh.runpod.io"


def candidate_folders() -> tuple[str, ...]:
    """Return every profile's folders, for a probe that does not know the provider yet."""
    folders = (folder for profile in PROVIDER_PROFILES.values() for folder in profile.folders)
    return tuple(dict.fromkeys(folders))


def find_profile(name: str, host: str = "", marks: frozenset[str] = frozenset()) -> ProviderProfile:
    """Return the named profile; for "auto" that of the host's name or the server's marks."""
    if name != "auto":
        return PROVIDER_PROFILES[name]
    for profile, endings in _HOST_ENDINGS:
        if f".{host}".endswith(endings):
            return PROVIDER_PROFILES[profile]
    for profile, names in _PROVIDER_MARKS:
        if marks & set(names):
            return PROVIDER_PROFILES[profile]
    return PROVIDER_PROFILES["plain"]
