"""Habits of the places where one rents a GPU: which disk lasts, how a server is switched off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.contract.catalogue import Text, text


@dataclass(frozen=True)
class Profile:
    """One provider.

    folders: candidates for the work folder, best first ("~" is the home folder).
    caches: environment of every run, relative to the work folder, so that a small system disk
    does not fill up. stop: the command that switches the server off and keeps its disk, run on
    the server; empty where there is none. keeps_disk: whether stopping keeps the data.
    """

    name: str
    folders: tuple[str, ...]
    stop: tuple[str, ...] = ()
    keeps_disk: bool = False
    warnings: tuple[str, ...] = ()
    caches: Mapping[str, str] = field(
        default_factory=lambda: {
            "HF_HOME": "cache/huggingface",
            "XDG_CACHE_HOME": "cache",
            "TMPDIR": "tmp",
        }
    )

    def warn(self) -> tuple[Text, ...]:
        """What one should know before renting there."""
        return tuple(text(key) for key in self.warnings)


PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("plain", ("~/sovdeck",)),
        Profile(
            "autodl",
            ("/root/autodl-tmp/sovdeck", "/root/sovdeck"),
            stop=("/usr/bin/shutdown",),
            keeps_disk=True,
            warnings=("remote.probe.autodl_release",),
        ),
        Profile(
            "runpod",
            ("/workspace/sovdeck", "/root/sovdeck"),
            stop=("runpodctl", "stop", "pod", "$RUNPOD_POD_ID"),
            keeps_disk=True,
            warnings=("remote.probe.runpod_volume",),
        ),
        Profile(
            "vast",
            ("/workspace/sovdeck", "/root/sovdeck"),
            stop=("vastai", "stop", "instance", "$CONTAINER_ID"),
            keeps_disk=True,
            warnings=("remote.probe.vast_storage",),
        ),
        # Lambda has no stop, only termination, which takes the disk with it.
        Profile("lambda", ("~/sovdeck",), warnings=("remote.probe.lambda_terminate",)),
    )
}

_HOSTS = (
    ("autodl", (".seetacloud.com", ".autodl.com", ".autodl.pro")),
    ("runpod", (".runpod.io", ".runpod.net")),
    ("vast", (".vast.ai",)),
    ("lambda", (".lambdalabs.com", ".lambda.ai")),
)
_MARKS = (
    ("autodl", ("autodl-tmp", "AutoDLContainerUUID")),
    ("runpod", ("RUNPOD_POD_ID",)),
    ("vast", ("VAST_CONTAINERLABEL",)),
)
RUNPOD_PROXY = "ssh.runpod.io"


def find(name: str, host: str = "", marks: frozenset[str] = frozenset()) -> Profile:
    """The named profile; for "auto" the one that the host's name or the server's marks tell."""
    if name != "auto":
        return PROFILES[name]
    for profile, endings in _HOSTS:
        if f".{host}".endswith(endings):
            return PROFILES[profile]
    for profile, names in _MARKS:
        if marks & set(names):
            return PROFILES[profile]
    return PROFILES["plain"]
