"""Every array that upstream's own generator produced, from the same weights and inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sovits_fill import integers, normal, signal, stats

from sovdeck.engine.audio.spectrogram import mel_filter_bank, mel_spectrogram, spectrogram


def test_spectrogram_and_mel(golden, close) -> None:
    want = golden("mel")
    spec = spectrogram(signal("mel_signal", int(want["n"])))
    close(spec, want["spec"])
    close(mel_spectrogram(spec), want["mel"])
    bank = mel_filter_bank()
    close(bank.sum(1), want["fb_rowsum"])
    assert bank.argmax(1).tolist() == want["fb_argmax"].tolist()


@torch.no_grad()
def test_reference_encoder(generator, scene, golden, close) -> None:
    close(scene.timbre, golden("ref_enc_quant")["ge"])


@torch.no_grad()
def test_tokens_and_codebook(generator, golden, close) -> None:
    want = golden("ref_enc_quant")
    ssl = normal("ssl1", 1, 768, 71)
    close(generator.ssl_proj(ssl), want["ssl_proj"])
    codes = generator.extract_latent(ssl)
    assert torch.equal(codes, torch.from_numpy(want["codes"]))
    content = generator.quantizer.decode(codes[:, 0])
    close(content[0, :, 0], want["dequant_first"])
    np.testing.assert_allclose(stats(content), want["dequant_stats"], rtol=1e-6, atol=1e-9)


@torch.no_grad()
def test_prior_encoder(generator, scene, golden, close) -> None:
    want = golden("enc_p")
    seen: dict[str, torch.Tensor] = {}
    parts = {
        "encoder_ssl": generator.enc_p.encoder_ssl,
        "encoder_text": generator.enc_p.encoder_text,
        "mrte": generator.enc_p.mrte,
        "x": generator.enc_p.encoder2,
    }
    hooks = [
        part.register_forward_hook(lambda _m, _i, out, name=name: seen.__setitem__(name, out))
        for name, part in parts.items()
    ]
    content = 0.7 * normal("quantized", 2, 768, 72)
    mean, log_std, mask = generator.enc_p(
        content, scene.mask, scene.text, scene.text_mask, scene.timbre
    )
    for hook in hooks:
        hook.remove()
    close(seen["encoder_text"], want["encoder_text"])
    for name in ("encoder_ssl", "mrte", "x"):
        close(seen[name][1], want[name])
    close(mean, want["m"])
    close(log_std, want["logs"])
    assert np.array_equal(mask.float().numpy(), want["mask"])


@torch.no_grad()
@pytest.mark.parametrize(("speed", "name"), [(0.8, "speed8"), (1.3, "speed13")])
def test_prior_encoder_at_other_speeds(generator, scene, golden, close, speed, name) -> None:
    want = golden("enc_p")
    content = 0.7 * normal("quantized", 2, 768, 72)[:1, :, :70]
    mean, _, mask = generator.enc_p(
        content,
        scene.mask[:1, :, :70],
        scene.text[:1],
        scene.text_mask[:1],
        scene.timbre[:1],
        speed=speed,
    )
    close(mean, want[f"{name}_m"])
    assert np.array_equal(mask.float().numpy(), want[f"{name}_mask"])


@torch.no_grad()
def test_posterior_encoder(generator, scene, golden, close) -> None:
    want = golden("enc_q")
    noise = normal("eps_q", 2, 192, 72)
    z, mean, log_std = generator.enc_q(scene.spec, scene.mask, scene.timbre, noise)
    close(z, want["z"])
    close(mean, want["m"])
    close(log_std, want["logs"])


@torch.no_grad()
def test_flow_both_ways(generator, scene, golden, close) -> None:
    want = golden("flow")
    x = normal("flow_z", 2, 192, 72) * scene.mask
    close(generator.flow(x, scene.mask, scene.timbre), want["forward"])
    close(generator.flow(x, scene.mask, scene.timbre, inverse=True), want["reverse"])


@torch.no_grad()
def test_decoder(generator, scene, golden, close) -> None:
    close(generator.dec(normal("dec_z", 1, 192, 8), scene.timbre[:1]), golden("dec")["wav"])


def test_full_decode(generator, golden, close) -> None:
    want = golden("decode")
    codes, text = (
        integers("decode_codes", (1, 1, 24), 0, 1024),
        integers("decode_text", (1, 13), 0, 732),
    )
    first = spectrogram(signal("ref1", 64000))
    second = spectrogram(0.5 * signal("ref2", 85120))
    noise = normal("decode_noise", 1, 192, 48)
    close(generator.decode(codes, text, [first], noise=noise)[0, 0], want["wav"])
    others = {
        "noise0": generator.decode(codes, text, [first], noise_scale=0, noise=noise),
        "two_refs": generator.decode(codes, text, [first, second], noise=noise),
        "speed125": generator.decode(
            codes, text, [first], speed=1.25, noise=normal("decode_noise_speed", 1, 192, 39)
        ),
    }
    for name, wav in others.items():
        close(wav[0, 0, :8000], want[name])
        np.testing.assert_allclose(stats(wav), want[f"{name}_stats"], rtol=1e-4, atol=1e-6)
    assert others["speed125"].shape[-1] == int(want["speed125_len"])
