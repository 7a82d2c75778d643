"""Checks of the demo's result. Pure functions of what was downloaded and measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sovdeck.engine.contract.fold import RunState
from sovdeck.engine.contract.layout import WEIGHT_FOLDERS

TRAINED_STAGES = ("sovits", "gpt")


@dataclass(frozen=True)
class DemoVoice:
    """The downloaded and unpacked voice; `files` are names inside the archive."""

    zip: str
    bytes: int
    sha256: str
    verified: bool
    files: tuple[str, ...]


@dataclass(frozen=True)
class DemoResult:
    """The result of the demo, as printed and as the last line of `--json`."""

    state: RunState
    job_state: str
    seconds: float
    voice: DemoVoice | None
    proof_wav: str | None
    redeploy_uploads: int
    failures: tuple[str, ...] = field(default=())

    @property
    def status(self) -> str:
        """`succeeded`, or `failed` when a check failed."""
        return "failed" if self.failures else "succeeded"

    def as_json(self) -> dict[str, Any]:
        """The result as the last JSON line."""
        voice = self.voice
        return {
            "status": self.status,
            "seconds": round(self.seconds, 1),
            "stages": [
                {
                    "name": stage.name,
                    "updates": stage.updates,
                    "first_loss": stage.first_loss,
                    "last_loss": stage.last_loss,
                }
                for stage in self.state.stages
                if stage.name in TRAINED_STAGES
            ],
            "voice": voice
            and {
                "zip": voice.zip,
                "bytes": voice.bytes,
                "sha256": voice.sha256,
                "verified": voice.verified,
                "files": list(voice.files),
            },
            "proof_wav": self.proof_wav,
            "failures": list(self.failures),
        }


def failed_checks(
    state: RunState,
    job_state: str,
    voice: DemoVoice | None,
    proof_seconds: float,
    redeploy_uploads: int,
) -> tuple[str, ...]:
    """Names of the checks that failed; empty when all passed."""
    passed = {
        "run_succeeded": state.status == "succeeded" and state.exit_code == 0,
        "job_succeeded": job_state == "succeeded",
        "no_event_lost_or_doubled": state.gaps == 0 and state.repeats == 0 and state.seq > 0,
        "second_deploy_uploads_nothing": redeploy_uploads == 0,
        "voice_verified": voice is not None and voice.verified and voice.bytes > 0,
        "gpt_weight_in_zip": _contains_file(voice, "gpt", ".ckpt"),
        "sovits_weight_in_zip": _contains_file(voice, "sovits", ".pth"),
        "proof_was_spoken": proof_seconds > 0.1,
    }
    for name in TRAINED_STAGES:
        stage = state.stage(name)
        first = stage.first_loss if stage else None
        last = stage.last_loss if stage else None
        passed[f"{name}_updated"] = stage is not None and stage.updates > 0
        passed[f"{name}_loss_fell"] = first is not None and last is not None and last < first
    return tuple(name for name, ok in passed.items() if not ok)


def _contains_file(voice: DemoVoice | None, stage: str, ending: str) -> bool:
    folders = [folder for folder, (kind, _) in WEIGHT_FOLDERS.items() if kind == stage]
    return voice is not None and any(
        name.split("/")[0] in folders and name.endswith(ending) for name in voice.files
    )
