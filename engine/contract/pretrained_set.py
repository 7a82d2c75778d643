"""The files training starts from: what they are called here and at the sources that have them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MANIFEST = "manifest.json"

# In the order they are asked; each is a folder of the same repository.
HUBS = (
    "https://huggingface.co/lj1995/GPT-SoVITS/resolve/main",
    "https://hf-mirror.com/lj1995/GPT-SoVITS/resolve/main",
)
_BASES = "gsv-v2final-pretrained"


@dataclass(frozen=True)
class SetFile:
    """One file of the set. `name` is its path in our folder, `upstream` its path at a source.

    `family` says what must be in it: "generator", "discriminator", "gpt", "json" or "encoder".
    """

    name: str
    upstream: str
    family: str


def _encoder(folder: str, extra: str) -> tuple[SetFile, ...]:
    """A transformers model: configuration, one more description, weights."""
    families = {"config.json": "json", extra: "json", "pytorch_model.bin": "encoder"}
    return tuple(
        SetFile(f"{folder}/{file}", f"{folder}/{file}", family) for file, family in families.items()
    )


_GPT = "s1bert25hz-5kh-longer-epoch=12-step=369668.ckpt"
FILES = (
    SetFile("s2G2333k.pth", f"{_BASES}/s2G2333k.pth", "generator"),
    SetFile("s2D2333k.pth", f"{_BASES}/s2D2333k.pth", "discriminator"),
    SetFile(_GPT, f"{_BASES}/{_GPT}", "gpt"),
    *_encoder("chinese-hubert-base", "preprocessor_config.json"),
    *_encoder("chinese-roberta-wwm-ext-large", "tokenizer.json"),
)


def find_in(folder: Path, file: SetFile) -> Path | None:
    """Where a folder holds `file`: laid out as ours, as upstream's, or as its own repository."""
    candidates = (folder / file.name, folder / file.upstream, folder / Path(file.name).name)
    # A lone config.json could be any model's; only the unmistakable names may lie loose.
    loose = candidates if "/" not in file.name else candidates[:2]
    return next((path for path in loose if path.is_file()), None)
