"""Which disk of a server the work folder goes to, best first. Pure."""

from __future__ import annotations

from sovdeck.remote.probe.engine_requirements import ENVIRONMENT_BYTES, RUN_BYTES
from sovdeck.remote.probe.facts import Disk, ServerFacts
from sovdeck.remote.probe.providers import ProviderProfile, candidate_folders


def expand_home(path: str, facts: ServerFacts) -> str:
    """Return the path with the server's home folder in place of a leading "~"."""
    return facts.home + path[1:] if path.startswith("~") else path


def rank_disks(facts: ServerFacts, profile: ProviderProfile) -> tuple[Disk, ...]:
    """Return the writable candidates for a new work folder, best first.

    A known provider's folders come first, in its order, where they have room for an environment
    and a run. Then, and on a plain machine at once, the largest local disk. Folders of other
    providers' layouts do not count.
    """
    usable = {disk.path: disk for disk in facts.disks if disk.writable and disk.free is not None}
    own = [expand_home(folder, facts) for folder in profile.folders]
    foreign = {expand_home(folder, facts) for folder in candidate_folders()} - set(own)
    preferred = [] if profile.name == "plain" else [usable[path] for path in own if path in usable]
    roomy = [disk for disk in preferred if (disk.free or 0) >= ENVIRONMENT_BYTES + RUN_BYTES]
    rest = [disk for disk in usable.values() if disk.path not in foreign and disk not in roomy]
    rest.sort(key=lambda disk: (disk.is_network, -(disk.free or 0)))
    return (*roomy, *rest)
