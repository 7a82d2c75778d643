"""Reading and writing the weight files of GPT-SoVITS v2, v2Pro and v2ProPlus.

May import, of `engine`: `contract`.
"""

from sovdeck.engine.interop.atomic_export import ExportedFile
from sovdeck.engine.interop.gpt_file import GptWeights, read_gpt, write_gpt
from sovdeck.engine.interop.inspection import inspect_weights
from sovdeck.engine.interop.sovits_file import (
    SovitsWeights,
    read_discriminator,
    read_sovits,
    write_sovits,
)
from sovdeck.engine.interop.speaker_file import read_speaker

__all__ = [
    "ExportedFile",
    "GptWeights",
    "SovitsWeights",
    "inspect_weights",
    "read_discriminator",
    "read_gpt",
    "read_sovits",
    "read_speaker",
    "write_gpt",
    "write_sovits",
]
