"""What the demo promises, checked on what really came home. Pure: facts in, verdict out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.contract.fold import RunState

TRAINED = ("sovits", "gpt")


@dataclass(frozen=True)
class Voice:
    """The pulled and unpacked archive; `files` are names inside it."""

    zip: str
    bytes: int
    sha256: str
    verified: bool
    files: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """The demo's end, as printed and as the last line of `--json`."""

    state: RunState
    job: str
    seconds: float
    voice: Voice | None
    proof_wav: str | None
    redeploy_uploads: int
    failures: tuple[str, ...] = field(default=())

    @property
    def status(self) -> str:
        return "failed" if self.failures else "succeeded"

    def as_json(self) -> dict[str, Any]:
        voice = self.voice
        return {
            "status": self.status,
            "seconds": round(self.seconds, 1),
            "stages": [
                {
                    "name": stage.name, "updates": stage.updates,
                    "first_loss": stage.first_loss, "last_loss": stage.last_loss,
                }
                for stage in self.state.stages
                if stage.name in TRAINED
            ],
            "voice": voice and {
                "zip": voice.zip, "bytes": voice.bytes, "sha256": voice.sha256,
                "verified": voice.verified, "files": list(voice.files),
            },
            "proof_wav": self.proof_wav,
            "failures": list(self.failures),
        }  # fmt: skip


def broken(
    state: RunState, job: str, voice: Voice | None, proof_seconds: float, redeploy_uploads: int
) -> tuple[str, ...]:
    """Names of the promises that were not kept; empty when all were."""
    kept = {
        "run_succeeded": state.status == "succeeded" and state.exit_code == 0,
        "job_succeeded": job == "succeeded",
        "no_event_lost_or_doubled": state.gaps == 0 and state.repeats == 0 and state.seq > 0,
        "second_deploy_uploads_nothing": redeploy_uploads == 0,
        "voice_verified": voice is not None and voice.verified and voice.bytes > 0,
        "gpt_weight_in_zip": _has(voice, "GPT_weights/", ".ckpt"),
        "sovits_weight_in_zip": _has(voice, "SoVITS_weights/", ".pth"),
        "proof_was_spoken": proof_seconds > 0.1,
    }
    for name in TRAINED:
        stage = state.stage(name)
        first = stage.first_loss if stage else None
        last = stage.last_loss if stage else None
        kept[f"{name}_updated"] = stage is not None and stage.updates > 0
        kept[f"{name}_loss_fell"] = first is not None and last is not None and last < first
    return tuple(name for name, good in kept.items() if not good)


def _has(voice: Voice | None, folder: str, ending: str) -> bool:
    return voice is not None and any(
        name.startswith(folder) and name.endswith(ending) for name in voice.files
    )
