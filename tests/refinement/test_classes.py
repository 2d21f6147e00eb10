"""The mean field of class probabilities."""

import warnings
from typing import Any

import numpy as np
import pyroved
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.testing import assert_close

import phyvae
from phyvae import PatchGrid, PhysicsObjective, TotalVariation
from phyvae.refinement.classes import ClassField, steps_of

ROWS, COLS = 12, 14
SMALL = {"hidden_dim_e": [6, 5], "hidden_dim_d": [6, 5], "device": "cpu"}


def field(losses: Tensor, shape: tuple[int, int], weight: float = 0.0, beta: float = 1.0):
    loss = TotalVariation("none")

    def psi(p: Tensor) -> Tensor:
        return loss(p.T.reshape(-1, *shape))

    return ClassField(losses, torch.ones_like(losses), psi, beta, weight)


def smooth(maps: Tensor) -> Tensor:
    return maps.diff(dim=-1).square().sum() + maps.diff(dim=-2).square().sum()


class TestTheField:
    def test_without_physics_it_is_bayes(self):
        losses = torch.rand(ROWS * COLS, 3, dtype=torch.float64)
        one = field(losses, (ROWS, COLS), beta=0.5)
        likelihood = torch.exp(-losses / 0.5)
        assert_close(one.without_physics(), likelihood / likelihood.sum(1, keepdim=True))
        found = one.descend(one.without_physics(), 20, lambda: None)
        assert torch.equal(found, one.without_physics())

    def test_no_probabilities_have_less_energy_without_physics(self):
        losses = 2 * torch.rand(ROWS * COLS, 3, dtype=torch.float64)
        one = field(losses, (ROWS, COLS))
        lowest = one.parts(one.without_physics())[0]
        for _ in range(20):
            other = torch.softmax(torch.randn(ROWS * COLS, 3, dtype=torch.float64), dim=1)
            assert one.parts(other)[0] > lowest

    def test_neighbours_right_what_noise_has_wronged(self):
        truth = (torch.arange(COLS) > COLS // 2).long().expand(ROWS, COLS).flatten()
        noise = torch.randn(len(truth), 2, generator=torch.Generator().manual_seed(0))
        losses = (2.0 * (1 - torch.eye(2)[truth]) + 2.0 * noise).double()
        one = field(losses, (ROWS, COLS), weight=4.0)
        alone = one.without_physics()
        found = one.descend(alone, steps_of(6), lambda: None)
        right = [float((p.argmax(1) == truth).double().mean()) for p in (alone, found)]
        assert right[0] < 0.85
        assert right[1] > 0.94
        assert_close(found.sum(1), torch.ones(len(truth), dtype=torch.float64))
        assert one.parts(found)[0] < one.parts(alone)[0]

    def test_it_is_the_minimum_that_scipy_finds(self):
        losses = torch.rand(12, 2, dtype=torch.float64)

        def psi(p: Tensor) -> Tensor:
            return smooth(p.T.reshape(2, 3, 4))

        one = ClassField(losses, torch.ones_like(losses), psi, 0.7, 0.05)
        found = one.descend(one.without_physics(), 200, lambda: None)

        def energy(logits: np.ndarray) -> float:
            p = torch.softmax(torch.from_numpy(logits).reshape(12, 2), dim=1)
            return float(one.parts(p)[0])

        best = minimize(energy, np.zeros(24), method="BFGS").fun
        assert float(one.parts(found)[0]) == pytest.approx(best, abs=1e-6)

    def test_strength_weighs_the_force_against_the_noise(self):
        losses = torch.rand(ROWS * COLS, 3, dtype=torch.float64)
        one = field(losses, (ROWS, COLS))
        weighed = one.with_physics(2.0)
        force = weighed._force(one.without_physics()) * weighed.weight
        assert float(force.square().mean().sqrt()) == pytest.approx(2.0)
        assert one.with_physics(0.0).weight == 0


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
    told = raster.with_known(labels)
    return {"joint": (joint, raster), "partly": (partly, told), "plain": (plain, told)}


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
                drawn = vae.decode(mean.detach(), one_hot).flatten(1)
                expected = torch.nn.functional.binary_cross_entropy(
                    drawn, patches.flatten(1), reduction="none"
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
    vae, told = models()["partly"]
    objective = PhysicsObjective(TotalVariation("none"))
    found = phyvae.refine(vae, told, objective, strength=4.0, progress=False)
    assert torch.equal(found.maps[:, 0].argmax(0), torch.arange(told.shape[1]) % 3)


def test_physics_that_does_not_see_the_classes_is_refused():
    vae, raster = models()["joint"]
    objective = PhysicsObjective(TotalVariation("none"), channels=[0, 1])
    published = PhysicsObjective(TotalVariation("none"), coupling="published")
    with pytest.raises(ValueError, match="no gradient at the class probabilities"):
        phyvae.refine(vae, raster, published, progress=False)
    with pytest.raises(ValueError, match=r"are no classes.* those of the classes are 2 to 4"):
        phyvae.refine(vae, raster, objective, progress=False)
