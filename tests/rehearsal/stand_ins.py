"""Stand-ins for the pretrained files: the official formats, names and sizes, random numbers.

HuBERT base and RoBERTa large lie in float16 with their published configurations, in the layout of
transformers' old files: `pytorch_model.bin`, weight norm as `weight_g` and `weight_v`, the buffer
`position_ids`, the heads of pre-training that nobody needs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer
from transformers import BertConfig, BertForMaskedLM, HubertConfig, HubertModel

from sovdeck.engine.contract.pretrained_set import PRETRAINED_FILES, PretrainedFile
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.models.speaker.encoder import SpeakerEncoder

_VOCABULARY = 21128
_OLD_NAMES = {
    "parametrizations.weight.original0": "weight_g",
    "parametrizations.weight.original1": "weight_v",
}
# Tokens of a reference of five seconds and a sentence of four; how the end is weighed.
_END, _POSITION_WEIGHT, _SURE = 220, 8.0, 15.0
_SPEAKER_NUMBERS = 20480  # of the full network; the tiny one gives other vectors


@dataclass(frozen=True)
class Sizes:
    """How large the stand-ins are; as they are here, those of the official files."""

    hubert: Mapping[str, Any] = field(default_factory=dict)
    roberta: Mapping[str, Any] = field(
        default_factory=lambda: {
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
        }
    )
    sovits: Mapping[str, SovitsConfig] = field(
        default_factory=lambda: {v: SovitsConfig.of(v) for v in ("v2", "v2Pro", "v2ProPlus")}
    )
    gpt: GptConfig = field(default_factory=GptConfig.v2)
    speaker_numbers: int | None = _SPEAKER_NUMBERS


def write_stand_ins(folder: Path, version: str, sizes: Sizes | None = None) -> list[Path]:
    """Write what `version` needs below `folder`, by its path at a hub; what is there stays."""
    sizes = sizes or Sizes()
    torch.manual_seed(20)
    written = []
    for file in (one for one in PRETRAINED_FILES if version in one.versions):
        path = folder / file.upstream
        written.append(path)
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent.name == "chinese-hubert-base":
            _write_hubert(path.parent, sizes)
        elif path.parent.name == "chinese-roberta-wwm-ext-large":
            _write_roberta(path.parent, sizes)
        else:
            torch.save(_content(file, version, sizes), path)
    return written


def _content(file: PretrainedFile, version: str, sizes: Sizes) -> dict[str, Any]:
    config = sizes.sovits[version]
    if file.content_kind == "speaker":
        return _half(SpeakerEncoder.random(20, numbers=sizes.speaker_numbers).model.state_dict())
    if file.content_kind == "gpt":
        state = {f"model.{n}": t for n, t in _half(speaking_gpt(sizes.gpt).state_dict()).items()}
        return {"weight": state, "config": sizes.gpt.to_upstream(), "info": "GPT-e12"}
    if file.content_kind == "discriminator":
        state = _half(Discriminator(config).state_dict())
    else:
        state = _half(_generator(config).state_dict())
    return {"weight": state, "config": config.to_upstream(), "info": "base"}


def speaking_gpt(config: GptConfig) -> Text2Semantic:
    """A GPT that ends its sentences, as one that learnt to speak does.

    A random one goes on to the limit of a sentence, three times as long as anybody speaks; then
    samples and proof would take the time of no voice. Here what a token is hardly counts beside
    its position, and the end is likely from `_END` on.
    """
    model = Text2Semantic(config)
    position = model.ar_audio_position
    with torch.no_grad():
        for layer in model.h.layers:
            for part in (layer.self_attn.out_proj, layer.linear2):
                part.weight.mul_(0.01)
        position.alpha.fill_(_POSITION_WEIGHT)
        seen = F.layer_norm(position.table[: 2 * _END], (config.hidden_dim,)).double()
        wanted = torch.where(torch.arange(2 * _END) < _END, -_SURE, _SURE).double()
        # Least squares, that the tokens do not disturb: they are noise beside the positions.
        noise = 2 * _END * (2 / _POSITION_WEIGHT) ** 2
        square = seen.T @ seen + noise * torch.eye(config.hidden_dim, dtype=torch.double)
        row = torch.linalg.solve(square, seen.T @ wanted)
        model.ar_predict_layer.weight[config.eos] = row.float()
    return model


def _generator(config: SovitsConfig) -> Synthesizer:
    """A generator whose codebook was written once: random tokens need one that is."""
    model = Synthesizer(config)
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            if name.endswith("embed"):
                buffer.normal_()
            elif name.endswith(("inited", "cluster_size")):
                buffer.fill_(1)
    return model


def _half(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """In float16 where they are floating-point; tensors that are one stay one."""
    made: dict[int, torch.Tensor] = {}
    for tensor in state.values():
        if tensor.data_ptr() not in made or not tensor.numel():
            half = tensor.half() if tensor.is_floating_point() else tensor
            made[tensor.data_ptr()] = half.contiguous()
    return {name: made[tensor.data_ptr()] for name, tensor in state.items()}


def _write_hubert(folder: Path, sizes: Sizes) -> None:
    config = HubertConfig(**sizes.hubert)
    state = {}
    for name, tensor in HubertModel(config).state_dict().items():
        for new, old in _OLD_NAMES.items():
            name = name.replace(new, old)
        state[name] = tensor.half()
    torch.save(state, folder / "pytorch_model.bin")
    _write_config(folder, config, "HubertModel")
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"do_normalize": True, "feature_size": 1, "sampling_rate": 16000})
    )


def _write_roberta(folder: Path, sizes: Sizes) -> None:
    config = BertConfig(vocab_size=_VOCABULARY, **sizes.roberta)
    state = _half(BertForMaskedLM(config).state_dict())
    positions = torch.arange(config.max_position_embeddings)[None]
    state["bert.embeddings.position_ids"] = positions
    torch.save(state, folder / "pytorch_model.bin")
    _write_config(folder, config, "BertForMaskedLM")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*special, *"，。！？、；：", *map(chr, range(0x4E00, 0x9FA6))][:_VOCABULARY]
    words += [f"[unused{number}]" for number in range(_VOCABULARY - len(words))]
    vocabulary = {word: number for number, word in enumerate(words)}
    pieces = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    pieces.pre_tokenizer = BertPreTokenizer()
    pieces.save(str(folder / "tokenizer.json"))


def _write_config(folder: Path, config: HubertConfig | BertConfig, kind: str) -> None:
    """The configuration as those files have it: the number format under its old name."""
    facts = config.to_dict()
    facts.pop("dtype", None)
    facts |= {"architectures": [kind], "torch_dtype": "float16", "transformers_version": "4.30.0"}
    (folder / "config.json").write_text(json.dumps(facts, indent=2, sort_keys=True))
