"""What holds for any weights: gradients, determinism, masks, the small network's training."""

from __future__ import annotations

import pytest
import torch
from sovits_fill import fill, integers, normal
from torch import Tensor

from sovdeck.engine.audio.spectrogram import HOP, mel_filter_bank, mel_spectrogram, spectrogram
from sovdeck.engine.models.sovits.attention import band_to_square, square_to_band
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.masks import length_mask, slice_starts, take_slices
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.models.weight_norm import NormConv1d, NormConv2d, NormConvTranspose1d
from sovdeck.engine.training import losses

TINY = SovitsConfig.tiny()


def batch(frames: int = 60) -> dict[str, Tensor]:
    torch.manual_seed(7)
    lengths = torch.tensor([frames, frames - 13])
    t = torch.arange(frames * HOP) / 32000
    wav = 0.3 * torch.sin(2 * torch.pi * torch.tensor([[[220.0]], [[330.0]]]) * t)
    spec = spectrogram(wav[:, 0]) * length_mask(lengths, frames)
    return {
        "ssl": torch.randn(2, TINY.ssl_dim, frames),
        "spec": spec,
        "spec_lengths": lengths,
        "text": torch.randint(1, 732, (2, 9)),
        "text_lengths": torch.tensor([9, 5]),
        "wav": wav,
    }


def generator_loss(
    model: Synthesizer, judge: Discriminator, data: dict[str, Tensor]
) -> losses.GeneratorLosses:
    inputs = {name: data[name] for name in data if name != "wav"}
    out = model(**inputs, slice_uniform=torch.tensor([0.3, 0.9]))
    real = judge(take_slices(data["wav"], out.ids_slice * HOP, TINY.segment_samples))
    fake = judge(out.wav)
    target = take_slices(mel_spectrogram(data["spec"]), out.ids_slice, TINY.segment_frames)
    return losses.GeneratorLosses(
        losses.adversarial_loss([score for score, _ in fake]),
        losses.feature_loss([maps for _, maps in real], [maps for _, maps in fake]),
        losses.mel_loss(target, mel_spectrogram(spectrogram(out.wav[:, 0]))),
        losses.kl_loss(out.z_p, out.logs_q, out.m_p, out.logs_p, out.y_mask),
    )


def test_the_small_network_learns() -> None:
    torch.manual_seed(0)
    model, judge, data = Synthesizer(TINY), Discriminator(TINY).requires_grad_(False), batch()
    adam = torch.optim.AdamW(model.parameter_groups(1e-3, 0.4), betas=(0.8, 0.99), eps=1e-9)
    tokens = model.extract_latent(data["ssl"])
    first = 0.0
    for _ in range(15):
        loss = generator_loss(model, judge, data).total
        adam.zero_grad()
        loss.backward()
        adam.step()
        first = first or loss.item()
    assert loss.item() < 0.5 * first
    assert torch.equal(model.extract_latent(data["ssl"]), tokens), "tokens must keep their meaning"


def test_tokens_do_not_depend_on_mixed_precision() -> None:
    """bfloat16 distances would move words about; training must see the tokens of the dataset."""
    torch.manual_seed(0)
    model = Synthesizer(TINY)
    ssl = torch.randn(2, TINY.ssl_dim, 400)
    want = model.extract_latent(ssl)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(model.extract_latent(ssl), want)


def test_mixed_precision_keeps_spectrograms_and_losses_in_float32() -> None:
    torch.manual_seed(0)
    model, judge, data = Synthesizer(TINY).eval(), Discriminator(TINY), batch()
    torch.manual_seed(1)
    want = generator_loss(model, judge, data)
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = generator_loss(model, judge, data)
        assert mel_spectrogram(spectrogram(data["wav"][:, 0].bfloat16())).dtype == torch.float32
    assert got.total.dtype == torch.float32
    for name in ("adversarial", "features", "mel", "kl"):
        assert getattr(got, name).item() == pytest.approx(getattr(want, name).item(), rel=0.01)
    got.total.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_padding_leaves_the_valid_frames_alone() -> None:
    """With one timbre, an item's latents are the same alone as beside a longer one."""
    model = Synthesizer(TINY).eval()
    fill(model.state_dict(), salt=3)
    data, timbre = batch(), normal("g", 2, 32, 1)
    content, noise = normal("c", 2, 32, 60), normal("n", 2, 32, 60)

    def latents(item: slice, frames: int, phones: int) -> tuple[Tensor, ...]:
        mask = length_mask(data["spec_lengths"][item], frames)
        text_mask = length_mask(data["text_lengths"][item], phones)
        g = timbre[item]
        with torch.no_grad():
            mean, log_std, _ = model.enc_p(
                content[item, :, :frames], mask, data["text"][item, :phones], text_mask, g
            )
            z, _, _ = model.enc_q(data["spec"][item, :, :frames], mask, g, noise[item, :, :frames])
            return mean, log_std, z, model.flow(z, mask, g)

    both, alone = latents(slice(0, 2), 60, 9), latents(slice(1, 2), 47, 5)
    for beside, single in zip(both, alone, strict=True):
        torch.testing.assert_close(beside[1:, :, :47], single, rtol=1e-4, atol=1e-4)
        assert not beside[1:, :, 47:].any()


def test_posterior_does_not_teach_the_timbre() -> None:
    model = Synthesizer(TINY)
    data = batch()
    inputs = {name: data[name] for name in data if name != "wav"}
    out = model(**inputs)
    (out.m_q.sum() + out.logs_q.sum()).backward()
    assert all(p.grad is None or not p.grad.any() for p in model.ref_enc.parameters())


@pytest.mark.parametrize("salt", [0, 5])
def test_flow_undoes_itself(salt) -> None:
    model = Synthesizer(TINY).eval()
    fill(model.state_dict(), salt)
    x, timbre = normal("x", 2, TINY.inter_channels, 20, salt=salt), normal("g", 2, 32, 1)
    mask = length_mask(torch.tensor([20, 11]), 20)
    with torch.no_grad():
        there = model.flow(x * mask, mask, timbre)
        back = model.flow(there, mask, timbre, inverse=True)
    assert not torch.allclose(there, x * mask, atol=1e-2)
    torch.testing.assert_close(back, x * mask, rtol=1e-4, atol=1e-4)


def test_decode_lengths_and_randomness() -> None:
    model = Synthesizer(TINY).eval()
    codes, text = integers("codes", (1, 1, 7), 0, 1024), integers("text", (1, 6), 0, 732)
    spec = spectrogram(0.1 * normal("ref", 1, 32000))
    torch.manual_seed(3)
    first = model.decode(codes, text, [spec])
    torch.manual_seed(3)
    assert torch.equal(model.decode(codes, text, [spec]), first)
    assert not torch.equal(model.decode(codes, text, [spec]), first)
    assert first.shape == (1, 1, 14 * HOP)
    for speed in (0.6, 1.25, 1.65):
        frames = int(14 / speed) + 1
        assert model.decode(codes, text, [spec], speed=speed).shape == (1, 1, frames * HOP)
    with pytest.raises(ValueError, match="reference"):
        model.decode(codes, text, [])


def test_band_and_square_are_shifts() -> None:
    """Against the plain definition, for sequences shorter and longer than the window."""
    for steps in (1, 2, 5, 12):
        band = torch.randn(2, 3, steps, 9)
        square = band_to_square(band)
        for i in range(steps):
            for j in range(steps):
                want = band[..., i, j - i + 4] if abs(j - i) <= 4 else torch.zeros(2, 3)
                assert torch.equal(square[..., i, j], want)
        back = square_to_band(square, 4)
        for i in range(steps):
            for c in range(9):
                inside = 0 <= i + c - 4 < steps
                want = band[..., i, c] if inside else torch.zeros(2, 3)
                assert torch.equal(back[..., i, c], want)


@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        (NormConv1d(4, 6, 3, padding=1), torch.nn.Conv1d(4, 6, 3, padding=1), (2, 4, 9)),
        (NormConv2d(4, 6, (3, 1)), torch.nn.Conv2d(4, 6, (3, 1)), (2, 4, 9, 2)),
        (
            NormConvTranspose1d(4, 6, 4, stride=2, padding=1),
            torch.nn.ConvTranspose1d(4, 6, 4, stride=2, padding=1),
            (2, 4, 9),
        ),
    ],
    ids=["conv1d", "conv2d", "transposed"],
)
def test_weight_norm_is_torchs(ours, theirs, shape) -> None:
    theirs.load_state_dict({"weight": torch.randn_like(theirs.weight), "bias": theirs.bias})
    normed = torch.nn.utils.parametrizations.weight_norm(theirs, dim=0)
    g, v = normed.parametrizations.weight.original0, normed.parametrizations.weight.original1
    assert list(ours.state_dict()) == ["bias", "weight_g", "weight_v"]
    with torch.no_grad():
        g.mul_(1.7)
    ours.load_state_dict({"bias": normed.bias, "weight_g": g, "weight_v": v})
    x = torch.randn(shape)
    torch.testing.assert_close(ours(x), normed(x))


def test_slices_stay_inside() -> None:
    lengths = torch.tensor([33, 32, 100, 31])
    top = slice_starts(lengths, torch.full((4,), 0.999999), 32)
    assert top.tolist() == [1, 0, 68, 0]
    assert slice_starts(lengths, torch.zeros(4), 32).tolist() == [0, 0, 0, 0]
    x = torch.arange(20.0).reshape(1, 1, 20).repeat(2, 3, 1)
    assert take_slices(x, torch.tensor([2, 16]), 4)[:, 1].tolist() == [
        [2, 3, 4, 5],
        [16, 17, 18, 19],
    ]


def test_mel_of_a_tone_peaks_at_its_band() -> None:
    t = torch.arange(32000) / 32000
    spec = spectrogram(torch.sin(2 * torch.pi * 1000 * t))
    assert spec.shape == (1, 1025, 50)
    assert spec[0, :, 25].argmax() == 64  # 1000 Hz in bins of 15.625 Hz
    assert mel_spectrogram(spec)[0, :, 25].argmax() == mel_filter_bank()[:, 64].argmax()
    with torch.inference_mode():
        mel_spectrogram(spectrogram(torch.zeros(1, 2000)))
    wav = torch.randn(1, 5000, requires_grad=True)
    mel_spectrogram(spectrogram(wav)).sum().backward()
    assert torch.isfinite(wav.grad).all()
    with pytest.raises(ValueError, match="704"):
        spectrogram(torch.zeros(1, 704))
