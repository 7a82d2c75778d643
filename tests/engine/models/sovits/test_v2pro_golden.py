"""Generator and discriminators of v2Pro and v2ProPlus against upstream's own arrays."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from sovits_fill import fill, stats
from sovits_step import sides
from torch import Tensor
from v2pro_golden import ProScene, Sizes, read_arrays, read_json

from sovdeck.engine.audio.spectrogram import HOP, mel_spectrogram, spectrogram
from sovdeck.engine.models.sovits.config import PRO_VERSIONS, SovitsConfig
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.masks import take_slices
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.training.losses import (
    GeneratorLosses,
    adversarial_loss,
    discriminator_loss,
    feature_loss,
    kl_loss,
    mel_loss,
)


class Version:
    """Networks of one version with the vectors' weights, and the arrays they must give."""

    def __init__(self, name: str) -> None:
        self.sizes = Sizes.read()
        self.want = read_arrays(name.lower())
        self.norms = read_json(f"{name.lower()}_gradnorms.json")
        self.scene = ProScene(self.sizes)
        config = SovitsConfig.of(name)
        self.generator = Synthesizer(config).eval()
        self.discriminator = Discriminator(config).eval()
        for model in (self.generator, self.discriminator):
            fill(model.state_dict(), self.sizes.salt)
        with torch.no_grad():
            self.style = self.generator.ref_enc(self.scene.spec, self.scene.mask)
            projected = self.generator.sv_emb(self.scene.speaker)
            self.timbre = self.generator.prelu(self.style + projected[..., None])

    def check_stats(self, got: Tensor, name: str) -> None:
        want = self.want[f"{name}_stats"]
        np.testing.assert_allclose(stats(got), want, rtol=1e-4, atol=2e-5, err_msg=name)


PLUS_LATER = ["v2Pro", pytest.param("v2ProPlus", marks=pytest.mark.long)]


@pytest.fixture(scope="module", params=PRO_VERSIONS)
def version(request: pytest.FixtureRequest) -> Version:
    torch.set_num_threads(1)
    return Version(request.param)


@pytest.mark.parametrize("version", PLUS_LATER, indirect=True)
@torch.no_grad()
def test_v2pro_golden_conditioning(version, close) -> None:
    want = version.want
    close(version.style, want["ref"])
    close(version.generator.sv_emb(version.scene.speaker), want["sv_proj"])
    close(version.timbre, want["ge"])
    close(version.generator.prior_timbre(version.timbre), want["ge512"])


@torch.no_grad()
def test_v2pro_golden_prior(version, close) -> None:
    scene, generator, want = version.scene, version.generator, version.want
    seen: dict[str, Tensor] = {}
    hooks = [
        part.register_forward_hook(lambda _m, _i, out, name=name: seen.__setitem__(name, out))
        for name, part in (("mrte", generator.enc_p.mrte), ("x", generator.enc_p.encoder2))
    ]
    content = 0.7 * version.sizes.normal("quantized", 2, 768, version.sizes.frames)
    mean, log_std, _ = generator.enc_p(
        content,
        scene.mask,
        scene.text,
        scene.text_mask,
        generator.prior_timbre(version.timbre),
    )
    for hook in hooks:
        hook.remove()
    close(seen["mrte"][1], want["enc_p_mrte"])
    close(seen["x"][1], want["enc_p_x"])
    for name, got in (("enc_p_m", mean), ("enc_p_logs", log_std)):
        close(got[1], want[name])
        version.check_stats(got, name)


@torch.no_grad()
def test_v2pro_golden_posterior_flow_and_decoder(version, close) -> None:
    sizes, scene, generator, want = version.sizes, version.scene, version.generator, version.want
    noise = sizes.normal("eps_q", 2, 192, sizes.frames)
    z, mean, log_std = generator.enc_q(scene.spec, scene.mask, version.timbre, noise)
    close(z[1], want["enc_q_z"])
    for name, got in (("enc_q_z", z), ("enc_q_m", mean), ("enc_q_logs", log_std)):
        version.check_stats(got, name)
    x = sizes.normal("flow_z", 2, 192, sizes.frames) * scene.mask
    for name, inverse in (("flow_forward", False), ("flow_reverse", True)):
        got = generator.flow(x, scene.mask, version.timbre, inverse=inverse)
        close(got[1], want[name])
        version.check_stats(got, name)
    wav = generator.dec(sizes.normal("dec_z", 1, 192, sizes.dec_z), version.timbre[:1])
    close(wav, want["dec_wav"])


@pytest.mark.parametrize("version", PLUS_LATER, indirect=True)
def test_v2pro_golden_decode(version, close) -> None:
    sizes, want = version.sizes, version.want
    codes = sizes.integers("decode_codes", (1, 1, sizes.codes), 0, 1024)
    text = sizes.integers("decode_text", (1, sizes.phones), 0, 732)
    specs = [
        spectrogram(sizes.signal("ref1", 64000)),
        spectrogram(0.5 * sizes.signal("ref2", 85120)),
    ]
    vectors = [sizes.speaker("sv1", 1), sizes.speaker("sv2", 1)]
    noise = sizes.normal("decode_noise", 1, 192, 2 * sizes.codes)

    def decode(count: int = 1, **options: Any) -> Tensor:
        options = {"noise": noise, **options}
        chosen = specs[:count], vectors[:count]
        return version.generator.decode(codes, text, chosen[0], speakers=chosen[1], **options)

    close(decode()[0, 0], want["decode_wav"].reshape(-1))
    slow = sizes.normal("decode_noise_speed", 1, 192, int(2 * sizes.codes / 1.25) + 1)
    others = {
        "decode_noise0": decode(noise_scale=0),
        "decode_two_refs": decode(2),
        "decode_speed125": decode(speed=1.25, noise=slow),
    }
    for name, wav in others.items():
        close(wav[0, 0, :8000], want[name].reshape(-1)[:8000])
        version.check_stats(wav, name)
    assert others["decode_speed125"].shape[-1] == int(want["decode_speed125_len"])


@torch.no_grad()
def test_v2pro_golden_discriminators(version, close) -> None:
    want = version.want
    real, real_maps = sides(
        version.discriminator(0.3 * version.sizes.normal("mpd_real", 2, 1, 20480))
    )
    fake, fake_maps = sides(
        version.discriminator(0.3 * version.sizes.normal("mpd_fake", 2, 1, 20480))
    )
    assert len(real) == 8
    for i in range(8):
        close(real[i], want[f"mpd_logit_real_{i}"])
        close(fake[i], want[f"mpd_logit_fake_{i}"])
        shapes = [list(m.shape) + [0] * (4 - m.dim()) for m in real_maps[i]]
        assert shapes == want[f"mpd_fmap_shapes_{i}"].tolist()
        got = np.array([stats(m) for m in real_maps[i]])
        np.testing.assert_allclose(got, want[f"mpd_fmap_real_stats_{i}"], rtol=1e-4, atol=2e-5)
        parts = [float((1 - real[i]).square().mean()), float(fake[i].square().mean())]
        np.testing.assert_allclose(
            parts, [want["mpd_r_losses"][i], want["mpd_g_losses"][i]], rtol=1e-5
        )
    assert float(discriminator_loss(real, fake)) == pytest.approx(want["mpd_loss_disc"], rel=1e-5)
    assert float(adversarial_loss(fake)) == pytest.approx(want["mpd_loss_gen"], rel=1e-5)
    assert float(feature_loss(real_maps, fake_maps)) == pytest.approx(want["mpd_loss_fm"], rel=1e-5)


# The two have the same discriminators and, but for its widths, the same decoder; the arrays of
# each part are compared above for both.
@pytest.mark.long
@pytest.mark.parametrize("version", ["v2Pro", "v2ProPlus"], indirect=True)
def test_v2pro_golden_training_step(version, close) -> None:
    """Forward, every loss, every gradient's norm and the first AdamW step."""
    sizes, scene, want = version.sizes, version.scene, version.want
    generator = copy.deepcopy(version.generator)
    discriminator = copy.deepcopy(version.discriminator)
    spec = sizes.normal("train_spec", 2, 1025, sizes.frames).abs() * scene.mask
    wav = 0.1 * sizes.normal("train_wav", 2, 1, sizes.train_wav)
    wav = wav * scene.mask.repeat_interleave(HOP, dim=-1)
    out = generator(
        sizes.normal("train_ssl", 2, 768, sizes.frames) * scene.mask,
        spec,
        scene.lengths,
        scene.text,
        scene.text_lengths,
        speaker=sizes.speaker("train_sv", 2),
        posterior_noise=sizes.normal("train_eps", 2, 192, sizes.frames),
        slice_uniform=torch.tensor(sizes.u),
    )
    assert out.ids_slice.tolist() == want["train_ids_slice"].tolist()
    close(out.wav[0, 0], want["train_y_hat"].reshape(-1))
    version.check_stats(out.wav, "train_y_hat")

    real_wav = take_slices(wav, out.ids_slice * HOP, 20480)
    real, real_maps = sides(discriminator(real_wav))
    fake, _ = sides(discriminator(out.wav.detach()))
    loss_disc = discriminator_loss(real, fake)
    loss_disc.backward()
    for name, parameter in discriminator.named_parameters():
        wanted = version.norms["discriminator"][name]
        assert float(parameter.grad.norm()) == pytest.approx(wanted, rel=1e-3, abs=2e-5), name

    y_mel, y_hat_mel = (
        take_slices(mel_spectrogram(spec), out.ids_slice, 32),
        mel_spectrogram(spectrogram(out.wav[:, 0])),
    )
    close(y_mel[0], want["train_y_mel"])
    close(y_hat_mel[0], want["train_y_hat_mel"])
    # What it sees in the recording is known already, and its own gradients have been read.
    real_maps = [[one.detach() for one in maps] for maps in real_maps]
    discriminator.requires_grad_(False)
    fake, fake_maps = sides(discriminator(out.wav))
    losses = GeneratorLosses(
        adversarial=adversarial_loss(fake),
        features=feature_loss(real_maps, fake_maps),
        mel=mel_loss(y_mel, y_hat_mel),
        kl=kl_loss(out.z_p, out.logs_q, out.m_p, out.logs_p, out.y_mask),
    )
    got = {
        "train_loss_disc": loss_disc,
        "train_loss_gen": losses.adversarial,
        "train_loss_fm": losses.features,
        "train_loss_mel": losses.mel,
        "train_loss_kl": losses.kl,
        "train_loss_gen_all": losses.total,
    }
    for name, value in got.items():
        assert value.item() == pytest.approx(float(want[name]), rel=1e-5), name

    losses.total.backward()
    norms = {
        name: -1.0 if p.grad is None else float(p.grad.norm())
        for name, p in generator.named_parameters()
    }
    assert norms.keys() == version.norms["generator"].keys()
    assert {n for n, v in norms.items() if v == -1} == {"ssl_proj.weight", "ssl_proj.bias"}
    for name, value in norms.items():
        assert value == pytest.approx(version.norms["generator"][name], rel=1e-3, abs=2e-5), name

    lr = 1e-4 * 0.999875
    deltas = {k.removeprefix("delta::"): v for k, v in want.items() if k.startswith("delta::")}
    assert deltas
    before = {n: p.detach().clone() for n, p in generator.named_parameters() if n in deltas}
    groups = generator.parameter_groups(lr, 0.4)
    torch.optim.AdamW(groups, lr=lr, betas=(0.8, 0.99), eps=1e-9).step()
    after = dict(generator.named_parameters())
    for name, reference in deltas.items():
        change = (after[name] - before[name]).detach().flatten()[:64].numpy()
        gradient = after[name].grad
        if gradient is None:
            assert not change.any() and not reference.any()
            continue
        size = gradient.flatten()[:64].abs().numpy()
        firm = (size > 1e-7) | (size == 0)  # Adam turns a gradient of rounding into a full step
        assert firm.sum() > 0.5 * len(firm), name
        np.testing.assert_allclose(
            change[firm], reference[firm], rtol=2e-3, atol=2e-8, err_msg=name
        )
