"""pyroVED's `iVAE`: the closed form is Pyro's at the same latents."""

import pyro
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from phyvae import PhysicsTrainer
from phyvae.models.options import Decoding
from pyroved_models import INVARIANT, adapted, precise, pyroved_arguments


@pytest.mark.parametrize("name", INVARIANT)
class TestClosedForm:
    def test_is_what_pyro_finds_at_the_same_latents(self, name, monkeypatch):
        model, grid = precise(adapted(name)), INVARIANT[name][1]
        data = grid.data(torch.arange(30), model.like)
        args = pyroved_arguments(model, data)
        with pyro.get_param_store().scope():
            guide = pyro.poutine.trace(model.vae.guide).get_trace(*args, scale_factor=1.0)
            replayed = pyro.poutine.replay(model.vae.model, trace=guide)
            trace = pyro.poutine.trace(replayed).get_trace(*args, scale_factor=1.0)
        observed, latent = trace.nodes["obs"], guide.nodes["latent"]
        posterior = model.posterior(data)
        monkeypatch.setattr(type(posterior), "sample", lambda self, generator: latent["value"])
        reconstruction, kl = model.terms(data, posterior, 1.0)
        expected = -observed["fn"].log_prob(observed["value"]).mean()
        assert_close(reconstruction, expected, rtol=1e-9, atol=1e-9)
        prior = trace.nodes["latent"]["fn"]
        divergence = torch.distributions.kl_divergence(latent["fn"].base_dist, prior.base_dist)
        assert_close(kl, divergence.sum(-1).mean(), rtol=1e-9, atol=1e-9)

    def test_a_share_of_the_pixels_leaves_the_expected_loss_as_it_is(self, name):
        model, grid = adapted(name), INVARIANT[name][1]
        if not model.decodes_pixels:
            with pytest.raises(ValueError, match="draws whole patches"):
                PhysicsTrainer(model, pixels=0.5)
            return
        data = grid.data(torch.arange(12), model.like)
        posterior = model.posterior(data)
        count = data.pixels[0].numel()

        def reconstruction(pixels: Tensor | None) -> Tensor:
            generator = torch.Generator().manual_seed(0)
            return model.terms(data, posterior, 1.0, Decoding(pixels, generator=generator))[0]

        halves = [reconstruction(half) for half in torch.randperm(count).chunk(2)]
        assert_close(torch.stack(halves).mean(), reconstruction(None), rtol=1e-5, atol=1e-4)
