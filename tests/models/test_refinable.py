"""The hooks of `phyvae.refine`, in every adapted model."""

import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import PhysicsObjective, PhysicsTrainer, ShiftVAE, TotalVariation
from phyvae.models import Posterior, Refinable
from phyvae.patches.known import Patches
from pyroved_models import EVERY, IMAGE, SIZE, adapted, fitted, ivae, made

OBJECTIVE = PhysicsObjective(TotalVariation("none"))
# One of each kind, sampler and network; classes have a refinement of their own, see
# tests/refinement/test_classes.py.
BY_ENCODER = ["rts, gaussian", "t, classes", "convolutions", "encoder-decoder"]
REFINED = [*BY_ENCODER, "vae", "t, continuous", "r, properties", "spectra, t", "regression, t"]


@pytest.mark.parametrize("name", REFINED)
def test_refinement_lowers_the_energy(name):
    model, grid = adapted(name), EVERY[name][1]
    fitted(PhysicsTrainer(model, lr=1e-2, batch_size=20), grid, 3, beta=0.1)
    for likelihood in ("decoder", *(["encoder"] if name in BY_ENCODER else [])):
        found = phyvae.refine(
            model, grid, OBJECTIVE, likelihood=likelihood, iterations=1, samples=2, progress=False
        )
        assert found.maps.shape == model.latent_maps(grid).shape
        assert found.maps.isfinite().all()
        assert found.stds.isfinite().all()
        assert (found.energy.diff() <= 0).all()
        assert found.shifts.shape[0] == len(model.shift_scale)


def test_refinement_is_that_of_a_shift_vae_of_the_same_weights():
    own = ShiftVAE((SIZE, SIZE), dx_prior=0.1, hidden_dim_e=(6, 5), hidden_dim_d=(6, 5))
    fitted(PhysicsTrainer(own, lr=1e-2, warmup=0, batch_size=20), IMAGE, 10, beta=0.1)
    vae = made(ivae(["t"]))
    vae.load_state_dict(own.state_dict())
    one, other = (
        phyvae.refine(model, IMAGE, OBJECTIVE, iterations=1, samples=2, progress=False)
        for model in (own, vae)
    )
    assert_close(other.maps, one.maps, rtol=1e-2, atol=1e-2)
    assert_close(other.shifts, one.shifts, rtol=1e-2, atol=1e-2)
    assert_close(other.energy, one.energy, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", ["joint", "semi-supervised", "regression"])
def test_the_encoder_alone_is_refused_where_its_deviations_are_not_its_own(name):
    make, grid = EVERY[name]
    with pytest.raises(ValueError, match='likelihood="encoder", but the encoder of this model'):
        phyvae.refine(made(make), grid, OBJECTIVE, likelihood="encoder", progress=False)


class Linear(phyvae.PatchModel):
    """A model of the five members, which are all that maps need."""

    patch_shape, content = (SIZE, SIZE), slice(0, None)

    def __init__(self):
        super().__init__()
        self.mean = torch.nn.Linear(SIZE * SIZE, 2)

    def posterior(self, patches, dtype=None):
        mean = self.mean(patches.flat)
        return Posterior(mean, torch.ones_like(mean))

    def terms(self, patches, posterior, beta, decoding=None):
        return posterior.mean.square().mean(), posterior.kl().mean()

    def floor(self, patches, pixels=None):
        return torch.zeros(len(patches))


def test_a_model_without_the_hooks_has_maps_and_cannot_be_refined():
    model = Linear()
    assert model.latent_maps(IMAGE).shape == (2, *IMAGE.shape)
    assert model.signal(IMAGE).shape == (2,)
    assert model.classes is None
    with pytest.raises(NotImplementedError, match=r"Linear has latents.*cannot be refined"):
        phyvae.refine(model, IMAGE, progress=False)


def test_defaults_are_a_standard_normal_prior_and_the_patches_themselves():
    class Plain(Linear, Refinable):
        sampler_name = "bernoulli"
        floor = Refinable.floor

    model, patches = Plain(), Patches(torch.rand(3, SIZE, SIZE))
    prior = model.prior(patches, model.posterior(patches))
    assert not prior.mean.any()
    assert (prior.std == 1).all()
    assert torch.equal(model.targets(patches), patches.flat)
    flat = patches.flat
    entropy = torch.distributions.Bernoulli(flat).entropy().sum(-1)
    assert_close(model.floor(patches), entropy)
    with pytest.raises(NotImplementedError, match=r"Plain has latents.*cannot be refined"):
        model.pixel_means(prior.mean, patches)
    with pytest.raises(NotImplementedError, match="Plain has no classes"):
        model.class_losses(patches, prior)
