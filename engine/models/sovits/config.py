"""Sizes of a SoVITS network, and their names in upstream's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

SAMPLE_RATE = 32000
HOP = 640
WINDOW = 2048
SPEC_BINS = WINDOW // 2 + 1
SPEAKER_NUMBERS = 20480  # of the speaker vector that v2Pro networks are conditioned on
PRO_VERSIONS = ("v2Pro", "v2ProPlus")
VERSIONS = ("v2", *PRO_VERSIONS)


@dataclass(frozen=True)
class SovitsConfig:
    """Every size of the network, and its version. The defaults are GPT-SoVITS v2.

    The first block carries upstream's own names (`model` section of its configuration); the
    second block is fixed inside upstream's code and named here so that a small network with the
    same architecture can be built.
    """

    inter_channels: int = 192
    hidden_channels: int = 192
    filter_channels: int = 768
    n_heads: int = 2
    n_layers: int = 6
    kernel_size: int = 3
    p_dropout: float = 0.1
    resblock_kernel_sizes: tuple[int, ...] = (3, 7, 11)
    resblock_dilation_sizes: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    upsample_rates: tuple[int, ...] = (10, 8, 2, 2, 2)
    upsample_initial_channel: int = 512
    upsample_kernel_sizes: tuple[int, ...] = (16, 16, 8, 2, 2)
    gin_channels: int = 512
    version: str = "v2"

    n_layers_content: int = 3
    attention_window: int = 4
    ssl_dim: int = 768
    codebook_size: int = 1024
    n_phones: int = 732
    spec_bins: int = SPEC_BINS
    ref_bins: int = 704
    ref_channels: int = 128
    ref_heads: int = 2
    ref_kernel: int = 5
    ref_dropout: float = 0.1  # of the reference encoder alone: v2Pro's `p_dropout` is 0
    mrte_channels: int = 512
    mrte_heads: int = 4
    wn_kernel: int = 5
    posterior_layers: int = 16
    flow_count: int = 4
    flow_layers: int = 4
    segment_frames: int = 32
    scale_channels: tuple[int, ...] = (16, 64, 256, 1024, 1024, 1024)
    period_channels: tuple[int, ...] = (32, 128, 512, 1024, 1024)
    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    speaker_numbers: int = SPEAKER_NUMBERS  # read by the v2Pro versions only

    @classmethod
    def v2(cls) -> SovitsConfig:
        """The sizes of GPT-SoVITS v2."""
        return cls()

    @classmethod
    def of(cls, version: str) -> SovitsConfig:
        """The sizes of "v2", "v2Pro" or "v2ProPlus". ValueError for another version."""
        if version not in VERSIONS:
            raise ValueError(f"version is {version!r}, not one of {', '.join(VERSIONS)}")
        if version == "v2":
            return cls()
        pro = cls(
            gin_channels=1024, p_dropout=0.0, version="v2Pro", periods=(2, 3, 5, 7, 11, 17, 23)
        )
        if version == "v2Pro":
            return pro
        return replace(
            pro,
            version="v2ProPlus",
            upsample_initial_channel=768,
            upsample_kernel_sizes=(20, 16, 8, 2, 2),
        )

    @classmethod
    def tiny(cls) -> SovitsConfig:
        """A small network of the same blocks and rates; a step takes a tenth of a second."""
        return cls(
            inter_channels=32,
            hidden_channels=32,
            filter_channels=64,
            n_heads=2,
            n_layers=2,
            n_layers_content=1,
            resblock_kernel_sizes=(3,),
            resblock_dilation_sizes=((1, 3),),
            upsample_initial_channel=64,
            gin_channels=32,
            ssl_dim=32,
            ref_channels=32,
            mrte_channels=32,
            mrte_heads=2,
            posterior_layers=2,
            flow_count=2,
            flow_layers=2,
            segment_frames=8,
            scale_channels=(4, 8, 16, 16),
            period_channels=(4, 8, 16),
        )

    @classmethod
    def tiny_pro(cls) -> SovitsConfig:
        """`tiny` with v2Pro's parts: a short speaker vector and all eight discriminators."""
        pro = cls.of("v2Pro")
        return replace(
            cls.tiny(),
            gin_channels=64,
            p_dropout=pro.p_dropout,
            version=pro.version,
            periods=pro.periods,
            speaker_numbers=1280,
        )

    @property
    def takes_speaker(self) -> bool:
        """Whether the network is conditioned on a speaker vector as well."""
        return self.version in PRO_VERSIONS

    @property
    def segment_samples(self) -> int:
        """Samples of the segment that a training step decodes."""
        return self.segment_frames * HOP

    @classmethod
    def from_dict(cls, config: Mapping[str, Any], version: str | None = None) -> SovitsConfig:
        """Read upstream's nested configuration (sections `model`, `data`, `train`).

        `version` replaces what the configuration says of itself. Unknown keys are ignored and
        missing ones keep the version's value. ValueError when a size is not a number in a sane
        range, the rates do not fit the 640-sample hop, or the version is none of `VERSIONS`.
        """
        model = dict(_section(config, "model"))
        data, train = _section(config, "data"), _section(config, "train")
        for section, name, want in (
            (data, "sampling_rate", SAMPLE_RATE),
            (data, "hop_length", HOP),
            (data, "filter_length", WINDOW),
            (data, "win_length", WINDOW),
        ):
            if section.get(name, want) != want:
                raise ValueError(f"{name} is {section[name]!r}, not {want}")
        model.setdefault(
            "n_layers_content", max(1, _check_size("n_layers", model.get("n_layers", 6)) // 2)
        )
        if "segment_size" in train:
            model.setdefault(
                "segment_frames", _check_size("segment_size", train["segment_size"]) // HOP
            )
        usual = cls.of(version or str(model.get("version", "v2")))
        model["version"] = usual.version
        known = {f.name: model[f.name] for f in fields(cls) if f.name in model}
        built = replace(usual, **{name: _check_value(name, value) for name, value in known.items()})
        built._check_consistency()
        return built

    def to_upstream(self) -> dict[str, Any]:
        """Nested dict with upstream's names; those fixed in its code are added if other."""
        mine = {name: _to_lists(value) for name, value in asdict(self).items()}
        usual = {name: _to_lists(value) for name, value in asdict(self.of(self.version)).items()}
        usual["n_layers_content"] = max(1, self.n_layers // 2)
        usual["segment_frames"] = self.segment_frames  # stored as train.segment_size
        fixed = [f.name for f in fields(self)]
        fixed = fixed[fixed.index("n_layers_content") :]
        model = {name: value for name, value in mine.items() if name not in fixed}
        model |= {
            "resblock": "1",
            "n_layers_q": 3,
            "use_spectral_norm": False,
            "semantic_frame_rate": "25hz",
            "freeze_quantizer": True,
        }
        model |= {name: mine[name] for name in fixed if mine[name] != usual[name]}
        return {
            "train": {
                "seed": 1234,
                "learning_rate": 1e-4,
                "betas": [0.8, 0.99],
                "eps": 1e-9,
                "fp16_run": True,
                "lr_decay": 0.999875,
                "segment_size": self.segment_samples,
                "init_lr_ratio": 1,
                "warmup_epochs": 0,
                "c_mel": 45,
                "c_kl": 1.0,
                "text_low_lr_rate": 0.4,
                "grad_ckpt": False,
            },
            "data": {
                "max_wav_value": 32768.0,
                "sampling_rate": SAMPLE_RATE,
                "filter_length": WINDOW,
                "hop_length": HOP,
                "win_length": WINDOW,
                "n_mel_channels": 128,
                "mel_fmin": 0.0,
                "mel_fmax": None,
                "add_blank": True,
                "n_speakers": 300,
                "cleaned_text": True,
            },
            "model": model,
            "version": self.version,
            "content_module": "cnhubert",
        }

    def _check_consistency(self) -> None:
        hop = 1
        for rate in self.upsample_rates:
            hop *= rate
        if hop != HOP:
            raise ValueError(f"upsample_rates give a hop of {hop}, not {HOP}")
        if len(self.upsample_kernel_sizes) != len(self.upsample_rates):
            raise ValueError("upsample_kernel_sizes and upsample_rates differ in length")
        if len(self.resblock_dilation_sizes) != len(self.resblock_kernel_sizes):
            raise ValueError("resblock_dilation_sizes and resblock_kernel_sizes differ in length")
        if self.inter_channels % 2 or self.upsample_initial_channel % 2 ** len(self.upsample_rates):
            raise ValueError("channel counts cannot be halved as often as the network does")
        for width, heads in (
            (self.hidden_channels, self.n_heads),
            (self.mrte_channels, self.mrte_heads),
            (self.ref_channels, self.ref_heads),
        ):
            if width % heads:
                raise ValueError(f"{width} channels cannot be shared by {heads} heads")


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name, {})
    if not isinstance(section, Mapping):
        raise ValueError(f"section {name} is not a mapping")
    return section


# Far above any real model; a forged file must not allocate terabytes or build for an hour.
_LARGEST = 65536
_DEEPEST = 256
_DEPTHS = ("n_layers", "n_layers_content", "posterior_layers", "flow_count", "flow_layers")


def _check_size(name: str, value: Any) -> int:
    largest = _DEEPEST if name in _DEPTHS else _LARGEST
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= largest:
        raise ValueError(f"{name} is {value!r}, not a size")
    return value


def _check_value(name: str, value: Any) -> Any:
    if name == "version":
        return value
    if name in ("p_dropout", "ref_dropout"):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
            raise ValueError(f"{name} is {value!r}, not a probability")
        return float(value)
    if isinstance(value, (list, tuple)):
        if not 0 < len(value) <= 32:
            raise ValueError(f"{name} has {len(value)} entries")
        return tuple(_check_value(name, item) for item in value)
    return _check_size(name, value)


def _to_lists(value: Any) -> Any:
    return [_to_lists(item) for item in value] if isinstance(value, (list, tuple)) else value
