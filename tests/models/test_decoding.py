"""The decoder's fast pass against automatic differentiation of the plain formula."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import phyvae
from phyvae.models import decoding
from phyvae.models.decoding import dense_tanh, is_dense_tanh
from phyvae.models.options import Decoding

SAMPLERS = [
    {"sampler_d": "bernoulli"},
    {"sampler_d": "gaussian"},
    {"sampler_d": "gaussian", "sigmoid_d": False, "decoder_sig": 0.2},
]


def example(shape=(9, 7), n=11, dtype=torch.float64, **settings):
    """Return a model, patches and latents."""
    torch.manual_seed(0)
    model = phyvae.ShiftVAE(shape, dx_prior=0.3, hidden_dim_d=(32, 16, 24), **settings).to(dtype)
    latents = torch.randn(n, model.z_dim, dtype=dtype)
    return model, torch.rand(n, *shape, dtype=dtype), latents


def value_and_gradient(model, loss, latents):
    latents = latents.clone().requires_grad_()
    model.zero_grad()
    value = loss(latents)
    value.backward()
    parameters = {n: p.grad.clone() for n, p in model.decoder.named_parameters()}
    return value.detach(), latents.grad, parameters


def both_ways(model, patches, latents, pixels=None, dtype=None):
    plain = value_and_gradient(
        model, lambda z: model.reconstruction(patches, z, pixels).mean(), latents
    )
    fast = value_and_gradient(
        model, lambda z: model.mean_reconstruction(patches, z, Decoding(pixels, dtype)), latents
    )
    return fast, plain


class TestAgainstAutomaticDifferentiation:
    @pytest.mark.parametrize("settings", SAMPLERS)
    @pytest.mark.parametrize("pixels", [None, torch.tensor([3, 0, 40])])
    @pytest.mark.parametrize("few", [0, 4, 10**6])  # one patch, four, all at a time
    def test_value_and_gradient(self, settings, pixels, few, monkeypatch):
        chosen = 63 if pixels is None else len(pixels)
        monkeypatch.setitem(decoding._BYTES, "cpu", few * chosen * 32 * 8)
        fast, plain = both_ways(*example(**settings), pixels)
        assert_close(fast, plain, rtol=1e-10, atol=1e-12)

    def test_spectra(self):
        assert_close(*both_ways(*example(shape=(50,))), rtol=1e-10, atol=1e-12)

    def test_float32(self):
        fast, plain = both_ways(*example(dtype=torch.float32))
        assert_close(fast, plain, rtol=1e-4, atol=1e-5)

    def test_another_activation_takes_the_plain_way(self):
        fast, plain = both_ways(*example(activation="gelu"))
        assert_close(fast, plain, rtol=0, atol=0)

    def test_no_gradient_is_wanted(self):
        model, patches, latents = example()
        with torch.no_grad():
            fast = model.mean_reconstruction(patches, latents)
        assert_close(fast, model.reconstruction(patches, latents).mean().detach())


class TestBfloat16:
    @pytest.mark.parametrize("activation", ["tanh", "gelu"])
    def test_loss_and_gradient_are_those_of_float32_to_three_digits(self, activation):
        model, patches, latents = example((24, 24), 40, torch.float32, activation=activation)
        (value, at_z, at_weights), plain = both_ways(model, patches, latents, dtype=torch.bfloat16)
        assert_close(value, plain[0], rtol=3e-4, atol=0)
        pairs = [(at_weights[name], plain[2][name]) for name in plain[2]]
        for found, expected in ((at_z, plain[1]), *pairs):
            assert found.dtype == torch.float32
            assert (found - expected).norm() < 0.03 * expected.norm()

    def test_rounding_does_not_move_the_expected_loss(self):
        model, patches, latents = example((24, 24), 200, torch.float32)
        with torch.no_grad():
            pairs = [
                (
                    model.mean_reconstruction(p, z, Decoding(dtype=torch.bfloat16)),
                    model.reconstruction(p, z),
                )
                for p, z in zip(patches.split(20), latents.split(20), strict=True)
            ]
        errors = torch.stack([half - full.mean() for half, full in pairs])
        assert errors.abs().mean() < 0.05  # of some 400 nats
        assert errors.mean().abs() < 0.02


class TestDenseTanh:
    def net(self, dtype=torch.float64):
        torch.manual_seed(1)
        layers = nn.Sequential(nn.Linear(20, 16), nn.Tanh(), nn.Linear(16, 8), nn.Tanh())
        return layers.to(dtype), torch.rand(30, 20, dtype=dtype)

    def test_is_the_layers(self):
        layers, rows = self.net()
        results = []
        for forward in (layers, lambda x: dense_tanh(layers, x, torch.float64)):
            layers.zero_grad()
            out = forward(rows)
            out.square().sum().backward()
            results.append((out.detach(), [p.grad.clone() for p in layers.parameters()]))
        assert_close(*results, rtol=1e-10, atol=1e-12)

    def test_faint_contrast_on_a_bright_ground_survives_bfloat16(self):
        layers, rows = self.net(torch.float32)
        rows = 0.9 + 0.003 * rows
        with torch.no_grad():
            layers[0].weight *= 300
            full, half = layers(rows), dense_tanh(layers, rows, torch.bfloat16)
        assert (half - full).std() < 0.03 * full.std()

    def test_knows_what_it_can_do(self):
        assert is_dense_tanh(self.net()[0])
        assert not is_dense_tanh(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
        assert not is_dense_tanh(nn.Sequential(nn.Linear(2, 2)))
        assert not is_dense_tanh(nn.Linear(2, 2))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_gives_the_same_loss_and_gradient():
    model, patches, latents = example(dtype=torch.float32)
    _, plain = both_ways(model, patches, latents)
    fast, _ = both_ways(model.to("cuda"), patches.to("cuda"), latents.to("cuda"))
    assert_close(fast, plain, rtol=1e-4, atol=1e-5, check_device=False)
