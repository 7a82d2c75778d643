"""The made-up servers, voices and texts of the fakes."""

from __future__ import annotations

import math

from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.state.models import CheckpointRow, DeployStepRow, Voice
from sovdeck.tui.state.server_models import (
    GpuFacts,
    GpuReading,
    Remark,
    SavedServer,
    ServerConnectionState,
    ServerSummary,
    Telemetry,
)

GB = 2**30

SAVED = (
    SavedServer("tokyo-4090", "root@gpu1.example.net:40022", "autodl", 0.42, "EUR"),
    SavedServer("lab-a100", "alice@2001:db8::7:22", "", 1.89, "EUR"),
    SavedServer("night-spot", "root@198.51.100.9:22", "vast", 0.19, "EUR"),
    SavedServer("attic", "me@attic.example.net:22"),
)
CONNECTIONS: dict[str, ServerConnectionState] = {"night-spot": "offline", "attic": "auth_needed"}
OFFLINE_DETAIL = Text("No answer for 5 minutes; trying again.", "5 分钟没有回应，正在重试。")
LOGIN_DETAIL = Text("Press c and type the password once.", "按 c 并输入一次密码。")

FACTS = {
    "tokyo-4090": ServerSummary(
        (GpuFacts("RTX 4090", 24 * GB),),
        61_000_000_000,
        100_000_000_000,
        62 * GB,
        16,
        "3.11.9",
        "Ubuntu 22.04",
        "3f9a",
        (Remark("good", Text("Fit for training.", "适合训练。")),),
    ),
    "lab-a100": ServerSummary(
        (GpuFacts("A100-SXM4-80GB", 80 * GB), GpuFacts("A100-SXM4-80GB", 80 * GB)),
        812_000_000_000,
        2_000_000_000_000,
        503 * GB,
        64,
        "3.12.4",
        "Debian 12",
        "3f9a",
        (Remark("good", Text("Fit for training.", "适合训练。")),),
    ),
    "night-spot": ServerSummary(
        (GpuFacts("RTX 3060", 12 * GB),),
        9_100_000_000,
        40_000_000_000,
        31 * GB,
        8,
        "3.10.12",
        "Ubuntu 20.04",
        None,
        (
            Remark(
                "warning",
                Text("Little disk: 9.1 GB free.", "硬盘不足：剩余 9.1 GB。"),
                Text("A full run needs about 12 GB.", "完整训练约需 12 GB。"),
            ),
        ),
    ),
}
FRESH_FACTS = ServerSummary(
    (GpuFacts("L40S", 48 * GB),),
    180_000_000_000,
    200_000_000_000,
    125 * GB,
    24,
    "3.11.7",
    "Ubuntu 22.04",
    None,
    (Remark("good", Text("Fit for training.", "适合训练。")),),
)


def sample(server: str, t: int) -> Telemetry:
    """A gently moving reading, the same for the same moment."""
    wave = math.sin(t / 9000)
    if server == "lab-a100":
        gpus = tuple(
            GpuReading(f"GPU-a{n}", "A100-SXM4-80GB", 4 * 2**20, 80 * GB, 0, 0.0, 31.0)
            for n in range(2)
        )
        return Telemetry(t, "nvidia-smi", gpus, 22 * GB, 503 * GB, None, 2.0)
    used = int((14.2 + 0.5 * wave) * GB)
    gpu = GpuReading(
        "GPU-t0",
        "NVIDIA GeForce RTX 4090",
        used,
        24 * GB,
        used - GB,
        round(91 + 7 * wave),
        round(68 + 3 * wave),
    )
    return Telemetry(t, "nvidia-smi", (gpu,), 17 * GB, 62 * GB, 6 * GB, 38.0)


def _checkpoints(voice: str) -> tuple[CheckpointRow, ...]:
    sovits = [
        CheckpointRow(
            f"SoVITS_weights/{voice}/{voice}_e{e}_s{e * 140}.pth", "sovits", e, 84_913_114, e * 140
        )
        for e in (4, 8, 12, 16)
    ]
    gpt = [
        CheckpointRow(f"GPT_weights/{voice}/{voice}-e{e}.ckpt", "gpt", e, 155_284_200)
        for e in (5, 10, 15)
    ]
    return tuple(sovits + gpt)


ATRI = Voice("tokyo-4090", "ATRI", tuple(p for p in _checkpoints("ATRI") if p.epoch in (4, 8))[:2])
MIKA = Voice("lab-a100", "Mika", _checkpoints("Mika"), "packs/Mika.zip", 243_118_902)

DEPLOY = (
    DeployStepRow("probe", Text("Look at the server", "检查服务器"), "skipped", "2 s ago"),
    DeployStepRow(
        "code", Text("Upload the engine (412 kB)", "上传引擎（412 kB）"), detail="3f9a1c"
    ),
    DeployStepRow("python", Text("Make a Python 3.11 environment", "创建 Python 3.11 环境")),
    DeployStepRow(
        "torch",
        Text("Install torch 2.11 for CUDA 12.8 (2.9 GB)", "安装 torch 2.11（CUDA 12.8，2.9 GB）"),
    ),
    DeployStepRow("models", Text("Fetch the base models (1.3 GB)", "下载基础模型（1.3 GB）")),
    DeployStepRow("check", Text("Train two steps as a test", "试训练两步")),
)

NO_UPDATES = Problem(
    "engine.plan.no_updates",
    ExitCode.CONFIG,
    stage="gpt",
    clips=24,
    batch=64,
    updates=0,
    parameter="gpt.batch_size",
    largest=12,
)

LOG = tuple(
    [
        "engine 0.1.0, torch 2.11.0, cuda 12.8, NVIDIA GeForce RTX 4090",
        "dataset ATRI: 214 clips, 21.4 min, ja 210, en 4",
        "prepare: 214 items in 41.0 s",
        "sovits: batch 16, 16 epochs, 2240 updates, bf16",
        "warning: out of memory at step 212, batch 16 -> 12",
    ]
    + [f"[sovits] epoch {e:>2} mel {17 + 30 / e:5.2f} kl {1.1 + 2 / e:4.2f}" for e in range(1, 10)]
    + ["saved SoVITS_weights/ATRI/ATRI_e8_s1120.pth (84.9 MB)"]
)
