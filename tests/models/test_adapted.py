"""What holds for every adapted pyroVED model."""

import copy
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pyro
import pytest
import torch
from pyroved.models import VED
from torch import nn
from torch.testing import assert_close

import phyvae
from phyvae import PatchGrid, PhysicsObjective, PhysicsTrainer, TotalVariation, adapt
from phyvae.models.options import Decoding
from pyroved_models import (
    BY_PYRO,
    EVERY,
    IMAGE,
    INVARIANT,
    SIZE,
    adapted,
    classes,
    fitted,
    gradients,
    ivae,
    made,
    properties,
    pyroved_arguments,
)


@pytest.fixture(params=list(EVERY))
def model_and_grid(request: pytest.FixtureRequest) -> tuple[nn.Module, PatchGrid]:
    make, grid = EVERY[request.param]
    return made(make), grid


class TestEveryModel:
    def test_has_maps_of_its_content_which_no_batch_size_changes(self, model_and_grid):
        model, grid = adapt(model_and_grid[0]), model_and_grid[1]
        maps = model.latent_maps(grid, progress=False)
        assert maps.shape[1:] == grid.shape
        assert maps.isfinite().all()
        assert_close(model.latent_maps(grid, batch_size=7, progress=False), maps)
        assert model.latent_stds(grid, progress=False).shape == maps.shape

    def test_trains_with_physics(self, model_and_grid):
        model, grid = model_and_grid
        objective = PhysicsObjective(TotalVariation())
        trainer = PhysicsTrainer(model, objective, lr=1e-2, warmup=0, batch_size=20)
        history = fitted(trainer, grid, 8, beta=0.1)
        assert history.neg_elbo[-1] < history.neg_elbo[0]
        assert history.psi[-1] > 0
        parts = trainer.evaluate(grid)
        assert all(np.isfinite(float(value)) for value in vars(parts).values())

    def test_trains_alike_from_one_seed_and_leaves_global_state_alone(self, model_and_grid):
        model, grid = model_and_grid
        pyro.clear_param_store()
        pyro.param("somebody's", torch.ones(3))
        ends = []
        for start in (copy.deepcopy(model), copy.deepcopy(model)):
            before = torch.get_rng_state()
            trainer = PhysicsTrainer(start, PhysicsObjective(TotalVariation()), batch_size=20)
            trainer.step(grid)
            assert torch.equal(torch.get_rng_state(), before)
            ends.append(trainer.model.state_dict())
        assert set(pyro.get_param_store().keys()) == {"somebody's"}
        assert_close(ends[0], ends[1], rtol=0, atol=0)

    def test_pyroveds_own_methods_work_on_it_after_training(self, model_and_grid):
        model, grid = adapt(model_and_grid[0]), model_and_grid[1]
        PhysicsTrainer(model, PhysicsObjective(TotalVariation()), batch_size=50).step(grid)
        vae, data = model.vae, grid.data(torch.arange(9), model.like)
        args = pyroved_arguments(model, data)[: 1 + (getattr(vae, "c_dim", 0) > 0)]
        encoded = vae.encode(*args)
        assert all(len(part) == 9 for part in encoded)
        content = torch.zeros(4, vae.z_dim - vae.coord)
        condition = [torch.eye(count)[:1].expand(4, -1) for count in conditions(vae)]
        decoded = vae.decode(content, *condition)
        expected = (16,) if isinstance(vae, VED) else model.patch_shape
        assert decoded.reshape(4, *expected).isfinite().all()
        if content.shape[1] == 2 and not condition:
            assert len(vae.manifold2d(3, plot=False)) == 9

    def test_its_file_is_loaded_into_a_new_one(self, request, tmp_path, model_and_grid):
        model, grid = model_and_grid
        name = request.node.callspec.params["model_and_grid"]
        other, third = (made(EVERY[name][0]) for _ in range(2))
        trainer = PhysicsTrainer(model, PhysicsObjective(TotalVariation()), batch_size=20)
        trainer.step(grid)
        trainer.save(tmp_path / "run")
        trainer.model.save(tmp_path / "model")
        before = trainer.model.latent_maps(grid)
        for file in ("run", "model"):
            loaded = phyvae.load_model(tmp_path / file, model=other)
            assert torch.equal(loaded.latent_maps(grid), before)
        again = phyvae.load_trainer(tmp_path / "run", model=third)
        for one in (trainer, again):
            one.step(grid)
        assert_close(trainer.model.state_dict(), again.model.state_dict(), rtol=0, atol=0)

    def test_physics_adds_to_the_gradient_of_the_encoder_alone(self, model_and_grid):
        model, grid = adapt(model_and_grid[0]), model_and_grid[1]
        batch = torch.arange(0, len(grid), 3)
        found = []
        for objective in (PhysicsObjective(), PhysicsObjective(TotalVariation(), w=0.5)):
            _, some = gradients(model, grid, objective, batch, 0.7, 0)
            named = model.named_parameters()
            found.append({n: some.get(n, torch.zeros_like(p)) for n, p in named})
        plain, driven = found
        factor = next(
            float((driven[n] * plain[n]).sum() / plain[n].square().sum())
            for n in plain
            if ".decoder." in n and plain[n].any()
        )
        moved = [n for n in plain if not torch.allclose(driven[n], factor * plain[n], atol=1e-6)]
        assert moved
        assert not any(".decoder." in name for name in moved)

    def test_its_floor_is_below_its_reconstruction(self, model_and_grid):
        model, grid = adapt(model_and_grid[0]), model_and_grid[1]
        data = grid.data(torch.arange(20), model.like)
        decoding = Decoding(generator=torch.Generator())
        reconstruction, _ = model.terms(data, model.posterior(data), 1.0, decoding)
        assert reconstruction > model.floor(data).mean()


def conditions(vae: Any) -> list[int]:
    """Return the widths of a decoder's conditions."""
    names = ("c_dim", "discrete_dim", "num_classes", "reg_dim")
    return [getattr(vae, name) for name in names if getattr(vae, name, 0)]


class TestDecode:
    """pyroVED's own decode is the oracle."""

    @pytest.mark.parametrize(
        "name", ["vae", "r", "t", "rts, gaussian", "convolutions", "spectra, t"]
    )
    def test_of_latents_alone(self, name):
        model = adapted(name)
        z = torch.randn(5, model.latent_dim)
        assert_close(model.decode(z), model.vae.decode(z).reshape(5, *model.patch_shape))

    @pytest.mark.parametrize("name", ["t, classes", "joint, rt", "semi-supervised, rt"])
    def test_of_a_class(self, name):
        model = adapted(name)
        z = torch.randn(5, model.latent_dim)
        of_class = torch.tensor([0.0, 1.0, 0.0]).expand(5, -1)
        expected = model.vae.decode(z, of_class).reshape(5, *model.patch_shape)
        assert_close(model.decode(z, known=1), expected)
        assert_close(model.decode(z, known=[0.0, 1.0, 0.0]), expected)
        assert not torch.equal(model.decode(z, known=2), expected)

    @pytest.mark.parametrize("name", ["r, properties", "regression, t"])
    def test_of_properties(self, name):
        model = adapted(name)
        z, known = torch.randn(5, model.latent_dim), torch.tensor([0.3, -2.0])
        expected = model.vae.decode(z, known.expand(5, -1)).reshape(5, *model.patch_shape)
        assert_close(model.decode(z, known=known), expected)

    def test_gives_manifolds(self):
        for name, known in {"t": None, "joint": 2, "regression": [0.1, 0.2]}.items():
            _, (ax,) = phyvae.plot_manifold(made(EVERY[name][0]), n=3, known=known)
            assert ax.images[0].get_array().shape == (3 * SIZE, 3 * SIZE)
        plt.close("all")

    @pytest.mark.parametrize(
        ("name", "z", "known", "message"),
        [
            ("t", torch.zeros(5, 4), None, r"z has shape \(5, 4\), but must be \(n, 2\)"),
            ("t", torch.zeros(5, 2), 1, "known=1, but this iVAE decodes latents alone"),
            ("joint", torch.zeros(5, 2), None, "known=None, but this jiVAE .* with 3 values"),
            ("joint", torch.zeros(5, 2), 3, "known=3 must be a class from 0 to 2, or 3 values"),
            ("regression", torch.zeros(5, 2), [1.0], r"known=\[1.0\] must be a class"),
        ],
    )
    def test_refusals(self, name, z, known, message):
        with pytest.raises(ValueError, match=message):
            adapted(name).decode(z, known)


class TestColumns:
    def test_pose_comes_before_content(self):
        columns = adapt(made(ivae(["t", "r", "s"]))).columns
        assert columns["angle"] == slice(0, 1)
        assert columns["shift"] == slice(1, 3)
        assert columns["scale"] == slice(3, 4)
        assert columns["content"] == slice(4, None)

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("t", ["$z_{1}$", "$z_{2}$"]),
            ("joint, ts", ["$z_{1}$", "P(class 0)", "P(class 1)"]),
            ("semi-supervised", ["P(class 0)", "P(class 1)", "P(class 2)"]),
            ("regression", ["property 0", "property 1"]),
            ("encoder-decoder", ["$z_{1}$", "$z_{2}$"]),
        ],
    )
    def test_maps_have_names(self, name, expected):
        assert adapted(name).map_names == expected

    def test_which_figures_take(self):
        model = adapted("joint, ts")
        maps = model.latent_maps(EVERY["joint, ts"][1])
        _, axes = phyvae.plot_latent_maps(maps, names=model.map_names)
        assert [ax.get_title() for ax in axes] == model.map_names
        plt.close("all")


def test_moves_what_pyroved_keeps_as_plain_attributes():
    model = adapt(made(INVARIANT["rts"][0])).double()
    assert model.vae.grid.dtype == model.vae.t_prior.dtype == torch.float64
    assert model.latent_maps(IMAGE).dtype == torch.float64


def test_a_run_can_be_resumed(tmp_path):
    path = tmp_path / "run.phyvae"
    make, grid = BY_PYRO["joint"]

    def trainer() -> PhysicsTrainer:
        return PhysicsTrainer(made(make), PhysicsObjective(TotalVariation()), batch_size=20)

    whole, half, rest = trainer(), trainer(), trainer()
    fitted(whole, grid, 4)
    fitted(half, grid, 2, checkpoint=path)
    fitted(rest, grid, 4, resume=path)
    assert_close(rest.model.state_dict(), whole.model.state_dict(), rtol=0, atol=0)
    with pytest.raises(phyvae.CheckpointError, match="jiVAE, and code is not saved"):
        phyvae.load_trainer(path)


@pytest.mark.filterwarnings("ignore::phyvae.CollapsedMapsWarning")
def test_sweep_takes_them():
    make, grid = BY_PYRO["joint"]
    settings = {f"{w}": PhysicsObjective(TotalVariation(), w=w) for w in (0.1, 0.5)}
    found = phyvae.sweep(grid, settings, 1, model=lambda seed: made(make), progress=False)
    alone = PhysicsTrainer(made(make), settings["0.5"])
    alone.fit(grid, 1, progress=False)
    assert_close(found.maps["0.5"], alone.model.latent_maps(grid))


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "grid", "message"),
        [
            ("t", classes(IMAGE), "known values, of which iVAE makes no use"),
            ("joint", classes(IMAGE), "known values, of which jiVAE makes no use"),
            ("t, classes", IMAGE, "an iVAE with c_dim=3 needs a class or 3 properties"),
            ("t, classes", classes(IMAGE, 0.5), r"the values of each patch, but \d+ of 49 are"),
            ("t, classes", properties(IMAGE), "2 known value.* but an iVAE with c_dim=3 takes 1"),
            ("r, properties", classes(IMAGE), r"whole numbers from 0 to 1"),
            ("semi-supervised", IMAGE, "an ssiVAE learns from the class, -1 where unknown"),
            ("semi-supervised", properties(IMAGE), "2 known value.*ssiVAE of 3 classes takes 1"),
            ("regression", IMAGE, "an ss_reg_iVAE learns from properties, NaN where"),
            ("regression", classes(IMAGE), "1 known value.*reg_dim=2 takes 2"),
            ("encoder-decoder", IMAGE, "a VED needs the spectrum to predict"),
            ("encoder-decoder", properties(IMAGE), "2 known value.*predicts 16 points takes 16"),
        ],
    )
    def test_of_known_values_that_do_not_suit_the_model(self, name, grid, message):
        trainer = PhysicsTrainer(made(EVERY[name][0]))
        with pytest.raises(ValueError, match=message):
            trainer.step(grid)
        if "learns from" in message or "to predict" in message:
            return  # and predicts without
        with pytest.raises(ValueError, match=message):
            trainer.model.latent_maps(grid)

    def test_of_intensities_that_a_decoder_cannot_reach(self):
        grid = PatchGrid(IMAGE.image * 3 - 1, size=SIZE, percentiles=None)
        with pytest.raises(ValueError, match="a Bernoulli decoder needs"):
            PhysicsTrainer(made(ivae(["r"]))).step(grid)

    def test_of_bfloat16(self):
        with pytest.raises(ValueError, match="only a ShiftVAE"):
            PhysicsTrainer(made(ivae(["r"])), precision="bfloat16")

    def test_of_another_distribution(self):
        vae = made(ivae(None))
        vae.sampler_d = lambda mean: torch.distributions.Poisson(mean)
        with pytest.raises(TypeError, match="pixels have a Poisson distribution, but must have"):
            adapt(vae)
