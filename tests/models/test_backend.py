"""pyroVED's models are built without its effects on global state."""

import copy
import multiprocessing
import pickle
import sys
import tempfile
from functools import partial
from operator import methodcaller

import joblib
import pyro
import pyroved
import pytest
import torch

import phyvae
from phyvae import ShiftVAE, adapt
from phyvae.models import backend
from pyroved_models import BY_PYRO, INVARIANT, made
from small import small_grid
from small_domains import small_domains


def test_the_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    model = ShiftVAE((8, 8), seed=5)
    model.encode(torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)))
    model.decode(torch.zeros(2, 2))
    model.manifold2d(2)
    assert torch.equal(torch.get_rng_state(), before)


def test_pyros_store_is_left_alone():
    pyro.clear_param_store()
    pyro.param("mine", torch.ones(3))
    model = ShiftVAE((8, 8))
    model.neg_elbo(torch.rand(3, 8, 8)).backward()
    assert list(pyro.get_param_store().keys()) == ["mine"]
    pyro.clear_param_store()


def test_cudnns_flags_are_left_alone():
    flags = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    ShiftVAE((8, 8))
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == flags


def test_all_of_it_is_restored_after_an_error():
    before, flags = torch.get_rng_state(), torch.backends.cudnn.benchmark

    def build():
        with backend.no_global_effects():
            torch.manual_seed(3)
            torch.backends.cudnn.benchmark = not flags
            pyro.param("another", torch.ones(1))
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        build()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.backends.cudnn.benchmark == flags
    assert "another" not in pyro.get_param_store()


def test_a_mismatched_torchvision_is_explained_in_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in list(sys.modules):
        if name.partition(".")[0] in ("torchvision", "pyroved"):
            monkeypatch.delitem(sys.modules, name)
    source = backend.__spec__.loader.get_code(backend.__name__)
    with pytest.raises(ImportError, match="install the pair together: python -m pip install"):
        exec(source, {"__name__": "again"})


COPIES = [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x)), lambda x: by_joblib(x)]


@pytest.mark.parametrize("copied", COPIES, ids=["deepcopy", "pickle", "joblib"])
class TestCopies:
    @pytest.mark.parametrize("kind", [*BY_PYRO, *INVARIANT])
    def test_models_are_copied_and_pickled(self, copied, kind):
        make, grid = (BY_PYRO | INVARIANT)[kind]
        model = adapt(made(make), patch_shape=grid.patch_shape)
        other = copied(model)
        torch.testing.assert_close(other.state_dict(), model.state_dict(), rtol=0, atol=0)
        pixels = torch.full((3,), 0.5)
        assert str(other.vae.sampler_d(pixels)) == str(model.vae.sampler_d(pixels))

    def test_a_trainer_goes_on_to_the_same_bits(self, copied):
        grid = small_grid()
        model = ShiftVAE(grid.patch_shape, hidden_dim_e=(5,), hidden_dim_d=(4,))
        trainer = phyvae.PhysicsTrainer(model, batch_size=8)
        trainer.fit(grid, 1, progress=False)
        other = copied(trainer)
        for one in (trainer, other):
            one.fit(copied(grid), 1, progress=False)
        torch.testing.assert_close(
            other.model.latent_maps(grid), model.latent_maps(grid), rtol=0, atol=0
        )

    def test_results_are_copied_and_pickled(self, copied):
        grid = small_grid()
        model = ShiftVAE(grid.patch_shape, hidden_dim_e=(5,), hidden_dim_d=(4,))
        refined = phyvae.refine(model, grid, iterations=1, samples=2, progress=False)
        torch.testing.assert_close(copied(refined).maps, refined.maps)


def by_joblib(thing):
    with tempfile.TemporaryFile() as file:
        joblib.dump(thing, file)
        file.seek(0)
        return joblib.load(file)


@pytest.mark.slow  # a process that imports torch
def test_models_grids_and_results_travel_to_a_spawned_process():
    grid = small_grid()
    model = ShiftVAE(grid.patch_shape, hidden_dim_e=(5,), hidden_dim_d=(4,))
    trainer = phyvae.PhysicsTrainer(model, phyvae.PhysicsObjective(phyvae.EdgeLoss()))
    maps = model.latent_maps(grid)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(methodcaller("latent_maps", grid), (model,))
        torch.testing.assert_close(found, maps, rtol=0, atol=0)
        # Torch's tensors share their memory with the other process: train a copy there.
        fit, before = methodcaller("fit", grid, 1, progress=False), maps.clone()
        histories = [pool.apply(fit, (copy.deepcopy(trainer),)) for _ in range(2)]
        torch.testing.assert_close(model.latent_maps(grid), before, rtol=0, atol=0)
        assert histories[0].loss == histories[1].loss == fit(trainer).loss
        refine = partial(phyvae.refine, iterations=1, samples=2, progress=False)
        assert pool.apply(refine, (model, grid)).maps.shape == maps.shape
        again = pool.apply(methodcaller("table"), (small_domains("raster"),))
        assert again == small_domains("raster").table()


def test_a_sampler_is_pyroveds():
    mean = torch.full((4,), 0.3)
    for name in ("bernoulli", "continuous_bernoulli", "gaussian"):
        expected = pyroved.utils.get_sampler(name, decoder_sig=0.2)(mean)
        found = backend.sampler(name, 0.2)(mean)
        assert type(found) is type(expected)
        torch.testing.assert_close(found.log_prob(mean), expected.log_prob(mean))
