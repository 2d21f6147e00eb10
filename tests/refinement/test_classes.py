"""Refinement of class probabilities."""

import warnings
from typing import Any

import numpy as np
import pyroved
import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import PatchGrid, PhysicsObjective, TotalVariation

SMALL = {"hidden_dim_e": [6, 5], "hidden_dim_d": [6, 5], "device": "cpu"}


def grid() -> PatchGrid:
    phantom = phyvae.phantoms.bfo((60, 64), 4.5, seed=1)
    return PatchGrid(phantom.image, size=8, step=5)


def models() -> dict[str, tuple[Any, PatchGrid]]:
    raster = grid()
    labels = np.full(raster.shape, -1)
    labels[0] = np.arange(raster.shape[1]) % 3
    with torch.random.fork_rng():
        joint = pyroved.models.jiVAE((8, 8), 2, 3, ["r", "t"], **SMALL)
        partly = pyroved.models.ssiVAE((8, 8), 2, 3, ["t"], **SMALL)
        plain = pyroved.models.ssiVAE((8, 8), 2, 3, **SMALL)
    known = raster.with_known(labels)
    return {"joint": (joint, raster), "partly": (partly, known), "plain": (plain, known)}


@pytest.mark.parametrize("name", ["joint", "partly", "plain"])
class TestEveryModelWithClasses:
    def test_refine(self, name):
        vae, raster = models()[name]
        trainer = phyvae.PhysicsTrainer(vae, lr=1e-2, batch_size=30)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", phyvae.CollapsedMapsWarning)
            trainer.fit(raster, 5, beta=0.1, progress=False)
        weights = [p.clone() for p in vae.parameters()]
        objective = PhysicsObjective(TotalVariation("none"))
        found = phyvae.refine(vae, raster, objective, beta=0.1, strength=1.0, progress=False)
        classes = found.maps[-3:]
        assert found.maps.shape == trainer.model.latent_maps(raster).shape
        assert_close(classes.sum(0), torch.ones(raster.shape), rtol=1e-4, atol=1e-4)
        assert found.energy[1] <= found.energy[0]
        assert found.energy[1] < 100
        alone = phyvae.refine(vae, raster, objective, beta=0.1, strength=0.0, progress=False)
        assert alone.weight == 0
        total = TotalVariation("none")
        assert total(classes) <= total(alone.maps[-3:])
        assert all(map(torch.equal, weights, vae.parameters()))

    def test_the_loss_of_a_class_is_pyros(self, name):
        vae, raster = models()[name]
        model = phyvae.adapt(vae)
        data = raster.data(raster.indices[20:29], model.like)
        posterior = model.posterior(data)
        pixels, rest = model.class_losses(data, posterior)
        assert pixels.shape == (9, 3, 64)
        assert rest.shape == (9, 3)
        # Decoded by pyroVED itself, with the coordinates of a latent without shift and turn.
        if name == "plain":
            patches = data.pixels
            for k in range(3):
                one_hot = torch.eye(3)[k].expand(9, -1)
                mean, _ = vae.encoder_z([patches.flatten(1), one_hot])
                decoded = vae.decode(mean.detach(), one_hot).flatten(1)
                expected = torch.nn.functional.binary_cross_entropy(
                    decoded, patches.flatten(1), reduction="none"
                )
                assert_close(pixels[:, k].detach(), expected, rtol=1e-4, atol=1e-4)


def test_physics_that_nothing_changes_leaves_the_classes_of_the_pixels():
    vae, raster = models()["joint"]
    flat = PhysicsObjective(lambda maps: 0 * maps.sum())
    found = phyvae.refine(vae, raster, flat, progress=False)
    without = phyvae.refine(vae, raster, PhysicsObjective(), progress=False)
    assert found.weight == 0
    assert_close(found.maps, without.maps)


def test_what_is_known_stays():
    vae, known = models()["partly"]
    objective = PhysicsObjective(TotalVariation("none"))
    found = phyvae.refine(vae, known, objective, strength=4.0, progress=False)
    assert torch.equal(found.maps[:, 0].argmax(0), torch.arange(known.shape[1]) % 3)


def test_physics_that_does_not_see_the_classes_is_refused():
    vae, raster = models()["joint"]
    objective = PhysicsObjective(TotalVariation("none"), channels=[0, 1])
    published = PhysicsObjective(TotalVariation("none"), coupling="published")
    with pytest.raises(ValueError, match="no gradient at the class probabilities"):
        phyvae.refine(vae, raster, published, progress=False)
    with pytest.raises(ValueError, match=r"are no classes.* those of the classes are 2 to 4"):
        phyvae.refine(vae, raster, objective, progress=False)
