"""pyroVED's `ssiVAE` and `ss_reg_iVAE`: learning from the known values of some patches."""

import numpy as np
import pytest
import torch
from pyroved.models import ss_reg_iVAE
from torch.testing import assert_close

import phyvae
from phyvae import PatchGrid, PhysicsObjective, PhysicsTrainer, TotalVariation
from pyroved_models import BY_PYRO, EVERY, adapted, fitted, made, without_known

BOTH = ["semi-supervised", "regression"]


class TestClasses:
    def test_are_learned(self):
        # The label is the quadrant: only a bright corner of the patch depends on it.
        rng = np.random.default_rng(0)
        image = rng.random((64, 64)) * 0.5
        truth = np.zeros((8, 8), dtype=int)
        truth[:, 4:], truth[4:] = 1, 2
        marks = np.kron(truth, np.pad(np.ones((4, 4)), ((0, 4), (0, 4)))) / 4
        labels = np.where(rng.random((8, 8)) < 0.5, truth, -1)
        grid = PatchGrid(image + marks, size=8, step=8).with_known(labels)
        trainer = PhysicsTrainer(
            made(BY_PYRO["semi-supervised"][0]), lr=2e-2, warmup=0, batch_size=32
        )
        trainer.fit(grid, 30, progress=False)
        found = trainer.model.latent_maps(grid).argmax(0).numpy()
        assert (found == truth)[labels < 0].mean() > 0.9


class TestProperties:
    def test_refinement_learns_from_neighbours_and_keeps_what_is_known(self):
        truth = np.repeat([[-1.0, 1.0]], 6, axis=1).repeat(12, axis=0)
        dot = np.exp(-(np.hypot(*np.mgrid[-3:4, -3:4]) ** 2) / 4)
        clean = 0.5 + 0.2 * np.kron(truth, dot)
        image = clean + 0.25 * np.random.default_rng(0).normal(size=clean.shape)
        known = np.full(truth.shape, np.nan)
        known[::3, ::2] = truth[::3, ::2]
        grid = PatchGrid(image, 7, 7, percentiles=None).with_known(known)
        vae = made(lambda: ss_reg_iVAE(
            (7, 7), 1, 1, hidden_dim_e=[16], hidden_dim_d=[16], hidden_dim_reg=[16],
            sampler_d="gaussian", sigmoid_d=False, decoder_sig=0.25,
        ))  # fmt: skip
        trainer = PhysicsTrainer(vae, batch_size=24, lr=5e-3, warmup=0)
        trainer.fit(grid, 40, progress=False)
        before = trainer.model.latent_maps(grid)[0].numpy()
        objective = PhysicsObjective(TotalVariation("none"))
        found = phyvae.refine(
            trainer.model, grid, objective, iterations=2, samples=2, progress=False
        )
        after, is_known = found.maps[0].numpy(), np.isfinite(known)
        right = [(np.sign(z) == truth)[~is_known].mean() for z in (before, after)]
        assert right[0] < 0.85
        assert right[1] > 0.95
        np.testing.assert_allclose(after[is_known], truth[is_known], atol=0.01)
        assert (found.stds[0].numpy()[is_known] < 0.01).all()


class TestPrediction:
    @pytest.mark.parametrize("name", [*BOTH, "semi-supervised spectra"])
    def test_needs_nothing_known(self, name):
        model, grid = adapted(name), EVERY[name][1]
        assert_close(model.latent_maps(without_known(grid)), model.latent_maps(grid))

    @pytest.mark.parametrize("name", BOTH)
    def test_but_training_does_of_one_grid_at_least(self, name):
        make, grid = EVERY[name]
        bare = without_known(grid)
        unknown = grid.with_known(np.full(grid.shape, np.nan))
        for nothing in (bare, [bare, bare]) + ((unknown,) if name != "regression" else ()):
            with pytest.raises(ValueError, match="nothing is known of any patch, but an"):
                PhysicsTrainer(made(make)).fit(nothing, 1, progress=False)
        fitted(PhysicsTrainer(made(make)), [bare, grid], 1)

    @pytest.mark.parametrize("name", BOTH)
    def test_evaluates_and_refines_with_nothing_known(self, name):
        make, grid = EVERY[name]
        bare = without_known(grid)
        trainer = PhysicsTrainer(made(make), PhysicsObjective(TotalVariation("none")))
        assert trainer.evaluate(bare).neg_elbo.isfinite()
        options = {"iterations": 1, "samples": 2, "progress": False}
        found = phyvae.refine(trainer.model, bare, trainer.objective, **options)
        assert found.maps.isfinite().all()


def test_the_prior_of_a_known_property_is_narrow():
    model, grid = adapted("regression"), EVERY["regression"][1]
    data = grid.data(grid.indices, model.like)
    posterior = model.posterior(data)
    prior, is_known = model.prior(data, posterior), ~data.known.isnan()
    assert torch.equal(prior.mean[is_known], data.known[is_known])
    assert not prior.mean[~is_known].any()
    assert_close(prior.std[is_known], 0.01 * posterior.std[is_known])
    assert torch.equal(prior.std[~is_known], posterior.std[~is_known])
