"""pyroVED's `jiVAE`: classes as maps, their weight, and physics that acts on them."""

from typing import Any

import numpy as np
import pyro
import pytest
import torch
from torch import Tensor
from torch.distributions import OneHotCategorical
from torch.testing import assert_close

import phyvae
from phyvae import PhysicsObjective, PhysicsTrainer, ShiftVAE, TotalVariation, adapt
from phyvae.models.joint import class_names, class_posterior, pixel_losses, unit_vector
from phyvae.models.options import Decoding
from pyroved_models import BY_PYRO, EVERY, IMAGE, SIZE, adapted, fitted, made


class TestClassWeight:
    def terms(self, weight: float, beta: float) -> tuple[Any, Tensor, Tensor]:
        make, grid = BY_PYRO["joint, rt"]
        model = adapt(made(make), class_weight=weight)
        data = grid.data(torch.arange(30), model.like)
        decoding = Decoding(generator=torch.Generator().manual_seed(1))
        return model, *model.terms(data, model.posterior(data), beta, decoding)

    def test_loss_is_pyroveds_with_two_scale_factors(self):
        model, reconstruction, kl = self.terms(5.0, 0.7)
        data = IMAGE.data(torch.arange(30), model.like)
        generator = torch.Generator().manual_seed(1)
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        guide = pyro.infer.config_enumerate(model.vae.guide, "parallel", expand=True)
        elbo = pyro.infer.TraceEnum_ELBO(max_plate_nesting=1, strict_enumeration_warning=False)
        with pyro.get_param_store().scope():
            total = elbo.differentiable_loss(
                model.vae.model, guide, data.pixels, scale_factor=[0.7, 3.5]
            )
        assert_close(reconstruction + 0.7 * kl, total / 30, rtol=1e-5, atol=1e-4)

    def test_it_leaves_the_reconstruction_and_counts_in_the_kl(self):
        found = {weight: self.terms(weight, 0.7)[1:] for weight in (1.0, 2.0, 3.0)}
        for reconstruction, _ in found.values():
            assert_close(reconstruction, found[1.0][0], rtol=1e-4, atol=1e-4)
        of_classes = found[2.0][1] - found[1.0][1]
        assert of_classes > 1e-5
        assert_close(found[3.0][1] - found[2.0][1], of_classes, rtol=1e-2, atol=1e-5)

    def test_refinement_weighs_classes_alike(self):
        make, grid = BY_PYRO["joint"]
        objective, vae = PhysicsObjective(TotalVariation("none")), made(make)
        options = {"strength": 0.0, "progress": False}
        one = phyvae.refine(adapt(vae, class_weight=4.0), grid, objective, beta=0.5, **options)
        other = phyvae.refine(vae, grid, objective, beta=2.0, **options)
        assert_close(one.maps, other.maps)
        assert not torch.allclose(
            one.maps, phyvae.refine(vae, grid, objective, beta=0.5, **options).maps
        )

    def test_a_run_with_another_is_not_resumed(self, tmp_path):
        make, grid = BY_PYRO["joint"]
        path = tmp_path / "run"
        trainer = PhysicsTrainer(adapt(made(make), class_weight=2.0))
        fitted(trainer, grid, 1, checkpoint=path)
        with pytest.raises(phyvae.CheckpointError, match="class_weight"):
            PhysicsTrainer(made(make)).fit(grid, 2, resume=path, progress=False)

    @pytest.mark.parametrize("weight", [0.0, -1.0, np.nan, np.inf])
    def test_other_numbers_are_refused(self, weight):
        with pytest.raises(ValueError, match=r"class_weight=.* must be > 0 and finite"):
            adapt(made(BY_PYRO["joint"][0]), class_weight=weight)

    def test_advice_on_collapsed_maps_is_that_for_classes(self):
        make, grid = BY_PYRO["joint"]
        with pytest.warns(phyvae.CollapsedMapsWarning, match="start from a larger beta"):
            PhysicsTrainer(made(make)).fit(grid, 1, beta=50.0, progress=False)


def test_maps_end_with_probabilities():
    model = adapted("joint, rt")
    maps = model.latent_maps(IMAGE)
    assert maps.shape == (2 + 3, *IMAGE.shape)
    assert_close(maps[2:].sum(0), torch.ones(IMAGE.shape))
    spread = model.latent_stds(IMAGE)[2:]
    assert_close(spread**2, maps[2:] * (1 - maps[2:]), rtol=1e-4, atol=1e-6)


def test_physics_can_act_on_the_classes_alone():
    make, grid = BY_PYRO["joint"]
    objective = PhysicsObjective(TotalVariation(), channels=[2, 3, 4], strength=1.0)
    history = fitted(PhysicsTrainer(made(make), objective, lr=1e-2), grid, 3, beta=0.1)
    assert np.isfinite(history.loss).all()


def test_physics_of_classes_does_not_act_on_other_latents():
    make, grid = BY_PYRO["joint"]
    loss = phyvae.ClassOccupancy(scaling="probabilities")
    for channels, message in [
        (None, r"5 maps, of which 2 are no class.*channels=\[2, 3, 4\]"),
        ([0, 1], r"2 maps, of which 2 are no class"),
        ([5], r"channels=\(5,\) but the model has 5 latent maps"),
    ]:
        objective = PhysicsObjective(loss, channels=channels)
        with pytest.raises(ValueError, match=message):
            PhysicsTrainer(made(make), objective).step(grid)
        with pytest.raises(ValueError, match=message):
            phyvae.refine(made(make), grid, objective, progress=False)
    PhysicsTrainer(made(make), PhysicsObjective(loss, channels=[2, 3, 4])).step(grid)
    semi, known = EVERY["semi-supervised"]
    PhysicsTrainer(made(semi), PhysicsObjective(loss)).step(known)
    with pytest.raises(ValueError, match="2 maps, of which 2 are no class"):
        PhysicsTrainer(ShiftVAE((SIZE, SIZE)), PhysicsObjective(loss)).step(IMAGE)


def test_the_deviation_is_that_of_the_class():
    p = torch.softmax(torch.randn(6, 3), dim=1).requires_grad_()
    posterior = class_posterior(p)
    assert posterior.mean is p
    assert_close(posterior.std, OneHotCategorical(probs=p.detach()).variance.sqrt())
    assert not posterior.std.requires_grad


def test_signal_is_one_for_certain_classes_and_zero_for_open_ones():
    certain, undecided = torch.eye(2).repeat(3, 1), torch.full((6, 2), 0.5)
    assert_close(class_posterior(certain).signal(), torch.ones(2))
    assert not class_posterior(undecided).signal().any()


def test_names():
    assert class_names(2) == ["P(class 0)", "P(class 1)"]


def test_pixel_losses_are_those_of_the_decoded_class():
    model = adapted("joint")
    patches = IMAGE.data(torch.arange(4), model.like)
    z = torch.randn(4, 2)
    found = pixel_losses(model, patches, z, unit_vector(1, 3, z))
    mean = model.decode(z, known=1).flatten(1)
    expected = torch.nn.functional.binary_cross_entropy(mean, patches.flat, reduction="none")
    assert_close(found, expected, rtol=1e-4, atol=1e-5)
