"""`ShiftVAE` is pyroVED's `iVAE` with translation: −ELBO, weights and decoder."""

import inspect

import numpy as np
import pyro
import pytest
import torch
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from pyroved.models import iVAE
from pyroved.utils import transform_coordinates
from torch.testing import assert_close

from phyvae import ShiftVAE, adapt

KINDS = [((12, 9), "bernoulli"), ((12, 9), "gaussian"), ((20,), "bernoulli"), ((20,), "gaussian")]


def pair(shape, sampler, n=6):
    """Return our model, a pyroVED model with the same weights, and patches, in float64."""
    ours = ShiftVAE(shape, latent_dim=2, dx_prior=0.3, sampler_d=sampler, seed=3).double()
    with pyro.get_param_store().scope():
        theirs = iVAE(
            shape, 2, ["t"], sampler_d=sampler, seed=5, dx_prior=0.3, device="cpu"
        ).double()
    theirs.grid, theirs.t_prior = theirs.grid.double(), theirs.t_prior.double()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs, torch.rand(n, *shape, dtype=torch.float64)


@pytest.mark.parametrize(("shape", "sampler"), KINDS)
class TestAgainstPyro:
    @pytest.mark.parametrize("beta", [0.01, 0.3, 1.0])
    def test_the_negative_elbo_is_pyros(self, shape, sampler, beta):
        ours, theirs, batch = pair(shape, sampler)
        with pyro.get_param_store().scope():
            torch.manual_seed(7)
            noise = torch.randn(len(batch), ours.z_dim, dtype=torch.float64)
            torch.manual_seed(7)
            expected = TraceMeanField_ELBO().differentiable_loss(
                theirs.model, theirs.guide, batch, scale_factor=beta
            )
        value = ours.neg_elbo(batch, beta, noise=noise)
        assert_close(value, expected / len(batch), rtol=1e-9, atol=1e-9)
        # The same gradient, too.
        value.backward()
        (expected / len(batch)).backward()
        for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            assert_close(mine.grad, other.grad, msg=lambda m, name=name: f"{name}: {m}")

    def test_weights_go_both_ways(self, shape, sampler):
        ours, theirs, batch = pair(shape, sampler)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        ours.load_state_dict(theirs.state_dict())
        assert_close(ours.encode(batch)[0], theirs.encode(batch)[0])

    def test_the_decoder_is_pyroveds(self, shape, sampler):
        ours, theirs, _ = pair(shape, sampler)
        z = torch.randn(5, 2, dtype=torch.float64)
        assert_close(ours.decode(z), theirs.decode(z).reshape(5, *shape))

    def test_the_model_itself_still_trains_with_pyro(self, shape, sampler):
        ours, _, batch = pair(shape, sampler)
        with pyro.get_param_store().scope():
            svi = pyro.infer.SVI(
                ours.model, ours.guide, pyro.optim.Adam({"lr": 1e-2}), TraceMeanField_ELBO()
            )
            losses = [svi.step(batch) for _ in range(30)]
        assert np.mean(losses[-5:]) < np.mean(losses[:5])


@pytest.mark.parametrize(("shape", "sampler"), [((5, 4), "bernoulli"), ((9,), "gaussian")])
def test_pyros_sampled_kl_has_the_closed_form_as_its_mean(shape, sampler):
    ours, theirs, patches = pair(shape, sampler)
    batch = patches.repeat(20, *(1 for _ in shape))  # 20 particles of each patch at a time
    with pyro.get_param_store().scope(), torch.no_grad():
        elbo = Trace_ELBO(num_particles=20, vectorize_particles=False)
        expected = elbo.loss(theirs.model, theirs.guide, batch) / len(batch)
        generator = torch.Generator().manual_seed(0)
        values = torch.stack([ours.neg_elbo(batch, generator=generator) for _ in range(20)])
    assert abs(float(values.mean()) - expected) < 5 * (values.std() / 20**0.5 + 0.1)


def test_a_pair_of_priors_is_pyroveds_dx_and_dy_which_are_down_and_right():
    shape = (9, 13)
    ours = ShiftVAE(shape, 1, dx_prior=(0.4, 0.1))
    with pyro.get_param_store().scope():
        theirs = iVAE(shape, 1, ["t"], seed=0, dx_prior=0.4, dy_prior=0.1, device="cpu")
    theirs.load_state_dict(ours.state_dict())
    latents = torch.tensor([[0.7, -1.2, 0.3]])
    # pyroVED's coordinates of each pixel, and its decoder, at the shift that its prior scales.
    shift = latents[:, :2] * theirs.t_prior
    coordinates = transform_coordinates(theirs.grid[None], torch.zeros(1), shift[:, None])
    expected = theirs.decoder(coordinates, latents[:, 2:]).reshape(1, *shape)
    assert_close(ours.decode(latents[:, 2:], shift=shift), expected.detach())
    # Down the rows the first coordinate changes alone.
    assert coordinates.reshape(*shape, 2)[..., 0].std(1).max() < 1e-6
    half = torch.tensor([4.0, 6.0])
    assert_close(ours.shift_scale.abs(), torch.tensor([0.4, 0.1]) * half)


def test_the_seed_decides_the_weights():
    a, b, c = (ShiftVAE((8, 8), seed=s).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["encoder_z.fc11.weight"], c["encoder_z.fc11.weight"])


def test_buffers_follow_the_model():
    model = ShiftVAE((8, 8)).double()
    assert model.grid.dtype == model.t_prior.dtype == torch.float64
    assert model.device == torch.device("cpu")


def test_names_and_columns_of_the_maps():
    model = ShiftVAE((20,), latent_dim=3)
    assert model.map_names == ["$z_{1}$", "$z_{2}$", "$z_{3}$"]
    assert model.content == slice(1, 4)


class TestNegElbo:
    def test_an_empty_batch_is_refused(self):
        with pytest.raises(ValueError, match="batch is empty"):
            ShiftVAE((8, 8)).neg_elbo(torch.zeros(0, 8, 8))

    def test_so_is_a_negative_beta(self):
        with pytest.raises(ValueError, match="beta=-1 must be >= 0 and finite"):
            ShiftVAE((8, 8)).neg_elbo(torch.rand(2, 8, 8), -1.0)

    def test_and_intensities_beyond_the_decoders(self):
        with pytest.raises(ValueError, match="batch spans 2 to 2, but a Bernoulli"):
            ShiftVAE((8, 8)).neg_elbo(torch.full((2, 8, 8), 2.0))


def test_invariances_are_pyroveds_shifts_and_others_are_sent_to_adapt():
    ShiftVAE((8, 8), invariances=["t"])
    with pytest.raises(ValueError, match=r"invariances=\['r'\] must be .*phyvae.adapt"):
        ShiftVAE((8, 8), invariances=["r"])
    adapt(iVAE((8, 8), invariances=["r"], device="cpu"))  # as advised


def test_the_default_device_is_the_usual_one(monkeypatch):
    monkeypatch.setattr("phyvae._checks.arguments.usual_device", lambda: "gpu")
    for door in (ShiftVAE, lambda shape, **k: ShiftVAE(shape, **k, device=None)):
        with pytest.raises(ValueError, match="device='gpu' must be the name of a device"):
            door((8, 8))
    assert ShiftVAE((8, 8), device="cpu").device.type == "cpu"


def test_every_argument_of_the_model_is_a_setting_as_plain_numbers_and_tuples():
    model = ShiftVAE(
        (6, 5), 3, dx_prior=0.25, hidden_dim_e=[4], sampler_d="gaussian", sigmoid_d=False, seed=3
    )
    arguments = list(inspect.signature(ShiftVAE).parameters)
    assert list(model.settings) == [
        name for name in arguments if name not in ("device", "invariances")
    ]
    assert model.settings["patch_shape"] == (6, 5)
    assert model.settings["dy_prior"] == model.settings["dx_prior"] == 0.25
    assert model.settings["hidden_dim_e"] == (4,)
    assert not model.settings["sigmoid_d"]


def test_a_pair_of_priors_is_that_down_and_to_the_right():
    pair, apart = (
        ShiftVAE((6, 5), dx_prior=(0.3, 0.2)),
        ShiftVAE((6, 5), dx_prior=0.3, dy_prior=0.2),
    )
    assert pair.settings == apart.settings
    assert pair.settings["dx_prior"] == 0.3


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            ({"patch_shape": (8,) * 3}, r"patch_shape=\(8, 8, 8\)"),
            ({"patch_shape": (1, 8)}, r"patch_shape=\(1, 8\)"),
            ({"latent_dim": 0}, "latent_dim=0"),
            ({"dx_prior": 0.0}, "dx_prior=0 must"),
            ({"dy_prior": float("nan")}, "dy_prior=nan"),
            ({"dx_prior": (0.3, -1.0)}, "dy_prior=-1 must"),
            (
                {"dx_prior": (0.3,)},
                r"dx_prior=\(0.3,\) with dy_prior=None: give dx_prior as a pair",
            ),
            (
                {"dx_prior": (0.3, 0.2), "dy_prior": 0.2},
                r"dx_prior=\(0.3, 0.2\) with dy_prior=0.2",
            ),
            ({"decoder_sig": -1.0}, "decoder_sig=-1 must"),
            ({"coordinate_scale": 0.0}, "coordinate_scale=0 must"),
            ({"sampler_d": "poisson"}, "sampler_d='poisson' must be one of 'bernoulli'"),
            ({"activation": "sine"}, "activation='sine' must be one of 'tanh'"),
            ({"sigmoid_d": False}, "sigmoid_d=False"),
            ({"seed": -1}, "seed=-1"),
            ({"hidden_dim_d": (4, 0)}, "each of hidden_dim_d=0"),
        ],
    )
    def test_bad_values_are_named(self, arguments, named, unchecked):
        with pytest.raises(ValueError, match=named):
            unchecked(ShiftVAE, **({"patch_shape": (8, 8)} | arguments))

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            ({"patch_shape": 24}, r"patch_shape=24 must be .* grid.patch_shape"),
            ({"patch_shape": (8.0, 8)}, r"patch_shape=\(8.0, 8\) must be whole numbers"),
            ({"sigmoid_d": 1}, "sigmoid_d=1 must be True or False"),
            ({"hidden_dim_e": ()}, r"hidden_dim_e=\(\) must be a list"),
            ({"latent_dims": 2}, "latent_dims"),
        ],
    )
    def test_bad_types_are_named(self, arguments, named, unchecked):
        with pytest.raises(TypeError, match=named):
            unchecked(ShiftVAE, **({"patch_shape": (8, 8)} | arguments))
