"""Print the index that `make env` takes torch from; nothing for the plain one. Says why on stderr.

On Linux the plain index holds torch with CUDA, several GB that a computer without an NVIDIA card
has no use for; PyTorch's own index has a build for the CPU of some 200 MB.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
TIMEOUT_S = 4.0


def choose_index(
    given: str, system: str, has_card: Callable[[], bool], reaches: Callable[[str], bool]
) -> tuple[str, str]:
    """The index ("" for the plain one), and a sentence about it."""
    if given:
        return given, f"torch comes from {given}."
    if system != "linux" or has_card():
        return "", ""
    if reaches(CPU_INDEX):
        return CPU_INDEX, "No NVIDIA card here: torch comes as its CPU build, some 200 MB."
    return "", (
        "No NVIDIA card here, but PyTorch's own index, which has the small CPU build, cannot be "
        "reached: torch comes from the plain index, several GB."
    )


def has_nvidia_card() -> bool:
    """Whether the driver's own tool finds a card."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    listed = subprocess.run([tool, "-L"], capture_output=True, check=False, timeout=30)
    return listed.returncode == 0 and b"GPU" in listed.stdout


def can_reach(index: str) -> bool:
    """Whether an index answers within seconds."""
    try:
        with urllib.request.urlopen(f"{index}/torch/", timeout=TIMEOUT_S) as answer:  # noqa: S310
            return answer.status == 200
    except (urllib.error.URLError, TimeoutError, OSError):
        return False


if __name__ == "__main__":
    index, why = choose_index(
        os.environ.get("TORCH_INDEX", ""), sys.platform, has_nvidia_card, can_reach
    )
    if why:
        print(why, file=sys.stderr)
    print(index)
