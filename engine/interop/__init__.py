"""Reading and writing the files of GPT-SoVITS v2."""

from engine.interop.exported import ExportedFile
from engine.interop.gpt_file import GptWeights, read_gpt, write_gpt
from engine.interop.inspection import inspect
from engine.interop.sovits_file import (
    SovitsWeights,
    read_discriminator,
    read_sovits,
    write_sovits,
)

__all__ = [
    "ExportedFile",
    "GptWeights",
    "SovitsWeights",
    "inspect",
    "read_discriminator",
    "read_gpt",
    "read_sovits",
    "write_gpt",
    "write_sovits",
]
