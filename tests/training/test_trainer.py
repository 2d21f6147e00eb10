import copy
import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyro
import pytest
import torch

import phyvae
from phyvae import EdgeLoss, LinearBeta, PatchGrid, PhysicsObjective, PhysicsTrainer, ShiftVAE
from phyvae.models import check_patches
from phyvae.training.loop import run_epoch
from small import assert_identical, small_grid, small_trainer, weights


def numpy_global_state():
    return np.random.get_state()[1].copy()  # noqa: NPY002 - that nobody touches it is the point


class TestFit:
    @pytest.mark.parametrize("coupling", ["balanced", "product", "published"])
    def test_training_lowers_the_negative_elbo(self, coupling):
        objective = PhysicsObjective(EdgeLoss(), coupling=coupling)
        trainer, grid = small_trainer(objective, lr=5e-3, warmup=0), small_grid()
        before = trainer.evaluate(grid, beta=0.1).neg_elbo
        trainer.fit(grid, epochs=8, beta=0.1, progress=False)
        assert trainer.evaluate(grid, beta=0.1).neg_elbo < before - 2

    def test_a_share_of_the_pixels_trains(self):
        settings = {"pixels": 0.25, "lr": 5e-3, "warmup": 0}
        trainer, grid = small_trainer(PhysicsObjective(EdgeLoss()), **settings), small_grid()
        before = trainer.evaluate(grid, beta=0.1).neg_elbo
        trainer.fit(grid, epochs=12, beta=0.1, progress=False)
        assert trainer.evaluate(grid, beta=0.1).neg_elbo < before - 2

    def test_physics_lowers_psi_at_little_cost(self):
        plain = small_trainer(lr=5e-3, warmup=0)
        driven = small_trainer(PhysicsObjective(EdgeLoss(), strength=0.3), lr=5e-3, warmup=0)
        grid = small_grid(noise=0.6)
        for trainer in (plain, driven):
            trainer.fit(grid, epochs=40, beta=0.1, progress=False)
        psi_plain = EdgeLoss()(plain.model.latent_maps(grid))
        psi_driven = EdgeLoss()(driven.model.latent_maps(grid))
        assert psi_driven < 0.9 * psi_plain
        costs = [trainer.evaluate(grid, beta=0.1).neg_elbo for trainer in (plain, driven)]
        assert costs[1] < 1.02 * costs[0]

    @pytest.mark.parametrize("seed", [0, 1])
    def test_w_acts_psi_of_the_final_maps_rises_with_it(self, seed):
        grid, psi = small_grid(noise=0.7, rows=100, cols=100), {}
        sizes = {"hidden_dim_e": (32,), "hidden_dim_d": (32,), "seed": seed}
        start = ShiftVAE((8, 8), latent_dim=1, **sizes)
        few = {"steps": 150, "content_steps": 150, "decoder_steps": 150}
        phyvae.align(start, grid, progress=False, seed=seed, **few)
        for w in (0.0, 0.5):
            model, objective = copy.deepcopy(start), PhysicsObjective(EdgeLoss(), w=w)
            settings = {"lr": 2e-2, "warmup": 0, "batch_size": 25, "sites": 100, "seed": seed}
            trainer = PhysicsTrainer(model, objective, **settings)
            trainer.fit(grid, 1, beta=0.1, steps_per_epoch=400, progress=False)
            psi[w] = float(EdgeLoss()(model.latent_maps(grid)))
        assert psi[0.5] >= 1.15 * psi[0.0]

    def test_spectra_train_too(self):
        cube = np.random.default_rng(0).random((8, 9, 20))
        grid = PatchGrid.from_spectra(cube)
        trainer = PhysicsTrainer(ShiftVAE(grid.patch_shape), PhysicsObjective(EdgeLoss()))
        history = trainer.fit(grid, epochs=2, progress=False)
        assert np.isfinite(history.loss).all()

    def test_a_grid_larger_than_a_tile_trains(self):
        trainer = small_trainer(PhysicsObjective(EdgeLoss()), tile=6)
        history = trainer.fit(small_grid(), epochs=2, progress=False)
        assert np.isfinite(history.loss).all()

    def test_the_schedule_is_followed_from_epoch_zero_and_on(self):
        trainer = small_trainer()
        beta = LinearBeta(0.1, 0.5, epochs=5)
        first = trainer.fit(small_grid(), epochs=3, beta=beta, progress=False)
        second = trainer.fit(small_grid(), epochs=3, beta=beta, progress=False)
        np.testing.assert_allclose(first.beta, [0.1, 0.2, 0.3], rtol=1e-6)
        np.testing.assert_allclose(second.beta, [0.4, 0.5, 0.5], rtol=1e-6)
        np.testing.assert_array_equal(trainer.history.epoch, [1, 2, 3, 4, 5, 6])

    def test_any_callable_is_a_schedule(self):
        history = small_trainer().fit(
            small_grid(), epochs=2, beta=lambda epoch: 0.5**epoch, progress=False
        )
        np.testing.assert_allclose(history.beta, [1, 0.5])

    def test_the_number_of_steps_may_be_chosen(self):
        counts = []
        trainer = small_trainer()
        trainer.optimizer.step = lambda: counts.append(1)
        trainer.fit(small_grid(), epochs=2, steps_per_epoch=3, progress=False)
        assert len(counts) == 6

    def test_steps_are_taken_in_whole_epochs_and_a_shorter_last_one(self):
        counts = []
        trainer = small_trainer()
        trainer.optimizer.step = lambda: counts.append(1)
        history = trainer.fit(small_grid(), steps=17, progress=False)
        assert len(counts) == 17
        assert len(history) == 3  # of 7 steps each: 182 patches in batches of 25
        trainer.fit(small_grid(), steps=5, steps_per_epoch=2, progress=False)
        assert (len(counts), trainer.epochs_done) == (22, 6)

    def test_steps_of_whole_epochs_have_the_bits_of_the_epochs(self):
        one, other = small_trainer(), small_trainer()
        one.fit(small_grid(), epochs=2, progress=False)
        other.fit(small_grid(), steps=14, progress=False)
        assert_identical(weights(one), weights(other))

    def test_steps_count_those_of_the_file_that_is_gone_on_from(self, tmp_path):
        whole, stopped, resumed = (small_trainer() for _ in range(3))
        whole.fit(small_grid(), steps=17, progress=False)
        stopped.fit(small_grid(), steps=7, progress=False, checkpoint=tmp_path / "a")
        resumed.fit(small_grid(), steps=17, progress=False, resume=tmp_path / "a")
        assert_identical(weights(whole), weights(resumed))

    def test_a_shorter_last_epoch_in_the_file_counts_as_what_it_is(self, tmp_path):
        counts, trainer, resumed = [], small_trainer(), small_trainer()
        trainer.fit(small_grid(), steps=10, progress=False, checkpoint=tmp_path / "a")
        resumed.optimizer.register_step_post_hook(lambda *_: counts.append(1))
        history = resumed.fit(small_grid(), steps=28, progress=False, resume=tmp_path / "a")
        assert len(counts) == 18
        assert len(history) == 2 + 3  # of 7 and 3 steps, and of 7, 7 and 4
        with pytest.raises(phyvae.CheckpointError, match=r"steps=9, but .*a' has 10 already"):
            small_trainer().fit(small_grid(), steps=9, progress=False, resume=tmp_path / "a")

    def test_the_progress_bar_shows_the_parts_and_is_silent_when_not_wanted(
        self, capsys, monkeypatch
    ):
        trainer = small_trainer(PhysicsObjective(EdgeLoss()))
        trainer.fit(small_grid(), epochs=1, progress=False)
        silent = capsys.readouterr()
        assert silent.out == silent.err == ""
        trainer.fit(small_grid(), epochs=1)
        assert capsys.readouterr().err == ""  # which is no terminal
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        trainer.fit(small_grid(), epochs=1)
        shown = capsys.readouterr().err
        assert all(part in shown for part in ("train: ", "ELBO=", "Ψ=", "β="))

    @pytest.mark.slow
    def test_memory_does_not_grow(self):
        script = Path(__file__).parents[1] / "memory_of_runs.py"
        run = subprocess.run(
            [sys.executable, script, "20"], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
        seen = json.loads(run.stdout)
        *during, at_the_end = seen["tensors_alive"].values()
        assert len({*during}) == 1, seen
        assert at_the_end <= during[0], seen  # the best state is kept until then
        assert seen["grown_MiB"] < 40, seen  # the allocator has not settled in so few epochs


class TestRepeatability:
    @pytest.mark.parametrize("pixels", [1.0, 0.5])
    def test_the_same_seed_gives_the_same_bits(self, pixels):
        a, b = (
            small_trainer(PhysicsObjective(EdgeLoss()), pixels=pixels, tile=8) for _ in range(2)
        )
        for trainer in (a, b):
            trainer.fit(small_grid(), epochs=2, progress=False)
        assert_identical(weights(a), weights(b))

    def test_another_seed_gives_other_weights(self):
        model = ShiftVAE((8, 8), seed=0)
        a = PhysicsTrainer(copy.deepcopy(model), seed=0)
        b = PhysicsTrainer(copy.deepcopy(model), seed=1)
        for trainer in (a, b):
            trainer.fit(small_grid(), epochs=1, progress=False)
        assert not torch.equal(weights(a)["decoder.out.weight"], weights(b)["decoder.out.weight"])

    def test_two_models_train_side_by_side_as_they_do_apart(self):
        grid = small_grid()
        apart = []
        for seed in (0, 1):
            trainer = small_trainer(PhysicsObjective(EdgeLoss()), seed=seed)
            trainer.fit(grid, epochs=3, progress=False)
            apart.append(weights(trainer))
        together = [small_trainer(PhysicsObjective(EdgeLoss()), seed=s) for s in (0, 1)]
        for _ in range(3):
            for trainer in together:
                trainer.fit(grid, epochs=1, progress=False)
        for one, other in zip(apart, together, strict=True):
            assert_identical(one, weights(other))

    def test_global_states_are_left_alone(self):
        grid, trainer = small_grid(), small_trainer(PhysicsObjective(EdgeLoss()))
        torch_state, numpy_state = torch.get_rng_state(), numpy_global_state()
        store = dict(pyro.get_param_store().items())
        trainer.fit(grid, epochs=1, progress=False)
        trainer.evaluate(grid)
        assert torch.equal(torch.get_rng_state(), torch_state)
        np.testing.assert_array_equal(numpy_global_state(), numpy_state)
        assert dict(pyro.get_param_store().items()) == store

    def test_fit_goes_on_where_it_stopped(self):
        grid = small_grid()
        once, twice = small_trainer(), small_trainer()
        once.fit(grid, epochs=4, progress=False)
        for epochs in (1, 3):
            twice.fit(grid, epochs=epochs, progress=False)
        assert_identical(weights(once), weights(twice))


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"epochs": 0}, "epochs=0"),
            ({"epochs": 1, "steps_per_epoch": 0}, "steps_per_epoch=0"),
            ({"epochs": 1, "beta": -1.0}, "beta=-1.0"),
            ({"steps": 0}, "steps=0"),
            ({}, "epochs=None, steps=None: pass one of them"),
            ({"epochs": 1, "steps": 1}, "epochs=1, steps=1: pass one of them"),
        ],
    )
    def test_bad_arguments_of_fit_are_named(self, settings, named):
        with pytest.raises(ValueError, match=named):
            small_trainer().fit(small_grid(), progress=False, **settings)

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            ({"grid": 3, "epochs": None}, "grid=3 must be a PatchGrid"),
            ({"epochs": 2.5}, "epochs=2.5 must be an integer >= 1"),
            ({"epochs": "2"}, "epochs='2' must be an integer"),
            ({"beta": "1"}, "beta='1' must be a number, a LinearBeta, or a function"),
            ({"beta": LinearBeta}, "beta=LinearBeta is a class"),
            ({"steps_per_epoch": 2.5}, "steps_per_epoch=2.5 must be an integer"),
            ({"callbacks": None}, r"callbacks=None must be a list of callables"),
            ({"callbacks": [1]}, r"callbacks=\[1\] must be a list of callables"),
        ],
    )
    def test_arguments_of_fit_of_another_kind_are_named(
        self, arguments, named, unchecked, monkeypatch
    ):
        trainer = small_trainer()
        monkeypatch.setattr("phyvae.training.trainer.run_epoch", inspect.unwrap(run_epoch))
        monkeypatch.setattr("phyvae.training.grids.check_patches", inspect.unwrap(check_patches))
        before = weights(trainer)
        with pytest.raises(TypeError, match=named):
            unchecked(
                PhysicsTrainer.fit,
                trainer,
                **({"grid": small_grid(), "epochs": 1, "progress": False} | arguments),
            )
        assert trainer.epochs_done == 0
        assert_identical(weights(trainer), before)

    def test_what_is_no_model_or_objective_is_refused(self, unchecked):
        model = ShiftVAE((8, 8))
        with pytest.raises(TypeError, match=r"objective=EdgeLoss.*PhysicsObjective\(loss"):
            unchecked(PhysicsTrainer, model, EdgeLoss())
        with pytest.raises(TypeError, match=r"model is of type PhysicsObjective"):
            unchecked(PhysicsTrainer, PhysicsObjective(), model)

    def test_a_published_batch_that_is_no_square_is_refused(self):
        trainer = small_trainer(PhysicsObjective(EdgeLoss(), coupling="published"), batch_size=20)
        with pytest.raises(ValueError, match="20 patches"):
            trainer.fit(small_grid(), epochs=1, progress=False)

    def test_an_unknown_keyword_is_refused(self):
        with pytest.raises(TypeError, match="learning_rate"):
            small_trainer(learning_rate=1.0)
        with pytest.raises(TypeError, match="scale_factors"):
            small_trainer().step(small_grid(), scale_factors=1.0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("coupling", ["balanced", "product", "published"])
def test_cuda_trains(coupling):
    grid = small_grid()
    trainer = small_trainer(PhysicsObjective(EdgeLoss(), coupling=coupling), device="cuda")
    before = trainer.evaluate(grid.to("cuda")).neg_elbo
    trainer.fit(grid, epochs=5, progress=False)
    assert trainer.evaluate(grid.to("cuda")).neg_elbo < before
    assert phyvae.segment(trainer.model.latent_maps(grid)).shape == grid.shape
