"""Full-size v2 networks: out, back, and within the memory a small server has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sovdeck.engine.interop.versions import V2_MIN_BYTES

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import json, resource, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from sovdeck.engine import interop
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.synthesizer import Synthesizer

def peak_bytes():
    # ru_maxrss begins with the peak of whoever started this; the kernel's own mark does not.
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))

out = Path(sys.argv[1])
torch.manual_seed(0)
sovits, gpt = Synthesizer(SovitsConfig.v2()), Text2Semantic(GptConfig.v2())
timbre = interop.write_sovits(out, "Full", 8, 400, sovits.state_dict(), SovitsConfig.v2(), {})
prosody = interop.write_gpt(out, "Full", 15, gpt.state_dict(), GptConfig.v2(), {})
back, spoken = interop.read_sovits(timbre.path), interop.read_gpt(prosody.path)
same = all(torch.equal(t, sovits.state_dict()[n].half()) for n, t in back.state.items())
same &= all(torch.equal(t, gpt.state_dict()[n].half()) for n, t in spoken.state.items())
missing = sovits.load_state_dict(back.state, strict=False).missing_keys
gpt.load_state_dict(spoken.state)
facts = interop.inspect_weights(timbre.path)
print(json.dumps({
    "sovits": timbre.bytes, "gpt": prosody.bytes, "tensors": [len(back.state), len(spoken.state)],
    "same": bool(same), "missing": len(missing),
    "all_posterior": all("enc_q" in n for n in missing),
    "quick": facts["upstream_takes_it_for"], "runs": facts["runs"],
    "peak": peak_bytes(),
}))
"""


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is read through `resource`")
def test_full_size_voices_fit_in_memory_and_pass_upstreams_size_test(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=ROOT, check=True, capture_output=True
    )
    said = json.loads(done.stdout)
    assert said["tensors"] == [673, 295]
    assert said["same"] and said["runs"] and said["all_posterior"] and said["missing"] == 103
    assert said["sovits"] >= V2_MIN_BYTES and said["quick"] == "v2"
    assert said["peak"] < 6 << 30
    raw = torch.load(tmp_path / "Full_e8_s400.pth", weights_only=True)
    assert list(raw) == ["weight", "config", "info", "padding"]
