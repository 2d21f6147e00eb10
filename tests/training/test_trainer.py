import copy
import inspect
import warnings

import numpy as np
import pyro
import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import (
    CollapsedMapsWarning,
    EdgeLoss,
    LinearBeta,
    NonFiniteLossError,
    PatchGrid,
    PhysicsObjective,
    PhysicsTrainer,
    ShiftVAE,
)
from phyvae.models import check_patches
from phyvae.models.posterior import Posterior
from phyvae.training.history import History
from phyvae.training.loop import run_epoch
from small import small_grid, small_trainer


def weights(trainer):
    return {k: v.clone() for k, v in trainer.model.state_dict().items()}


def numpy_global_state():
    return np.random.get_state()[1].copy()  # noqa: NPY002 - that nobody touches it is the point


def assert_identical(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[k], other[k]) for k in one)


class TestFit:
    @pytest.mark.parametrize("coupling", ["balanced", "product", "published"])
    def test_training_lowers_the_negative_elbo(self, coupling):
        trainer = small_trainer(PhysicsObjective(EdgeLoss(), coupling=coupling), lr=5e-3)
        grid = small_grid()
        before = trainer.evaluate(grid, beta=0.1).neg_elbo
        trainer.fit(grid, epochs=30, beta=0.1, progress=False)
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

    def test_a_share_of_the_pixels_trains(self):
        grid = small_grid()
        trainer = small_trainer(PhysicsObjective(EdgeLoss()), pixels=0.25, lr=5e-3)
        before = trainer.evaluate(grid, beta=0.1).neg_elbo
        trainer.fit(grid, epochs=30, beta=0.1, progress=False)
        assert trainer.evaluate(grid, beta=0.1).neg_elbo < before - 2

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

    def test_the_history_holds_every_part(self):
        history = small_trainer(PhysicsObjective(EdgeLoss(), coupling="product")).fit(
            small_grid(), epochs=3, beta=0.5, progress=False
        )
        assert isinstance(history, History)
        assert len(history) == 3
        np.testing.assert_allclose(
            history.neg_elbo, history.reconstruction + history.beta * history.kl, rtol=1e-5
        )
        assert (history.floor > 0).all()
        assert (history.seconds > 0).all()

    def test_the_number_of_steps_may_be_chosen(self):
        counts = []
        trainer = small_trainer()
        trainer.optimizer.step = lambda: counts.append(1)
        trainer.fit(small_grid(), epochs=2, steps_per_epoch=3, progress=False)
        assert len(counts) == 6

    def test_callbacks_are_called_after_every_epoch(self):
        seen = []
        trainer = small_trainer()
        trainer.fit(
            small_grid(), epochs=3, progress=False, callbacks=[lambda t, e: seen.append((t, e))]
        )
        assert seen == [(trainer, 1), (trainer, 2), (trainer, 3)]

    def test_the_progress_bar_shows_the_parts_and_is_silent_when_not_wanted(self, capsys):
        trainer = small_trainer(PhysicsObjective(EdgeLoss()))
        trainer.fit(small_grid(), epochs=1, progress=False)
        silent = capsys.readouterr()
        assert silent.out == silent.err == ""
        trainer.fit(small_grid(), epochs=1)
        shown = capsys.readouterr().err
        assert all(part in shown for part in ("ELBO=", "Ψ=", "β="))


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


class TestEvaluate:
    def test_it_changes_nothing(self):
        grid, trainer = small_grid(), small_trainer(PhysicsObjective(EdgeLoss()))
        trainer.fit(grid, epochs=1, progress=False)
        before = weights(trainer), copy.deepcopy(trainer.optimizer.state_dict())
        one, two = trainer.evaluate(grid), trainer.evaluate(grid)
        assert_identical(before[0], weights(trainer))
        after = trainer.optimizer.state_dict()
        for key, state in before[1]["state"].items():
            assert all(torch.equal(state[k], after["state"][key][k]) for k in state)
        assert torch.equal(one.stack(), two.stack())
        assert all(p.grad is None or p.grad.isfinite().all() for p in trainer.model.parameters())

    def test_the_batch_size_does_not_matter_to_what_is_exact(self):
        grid, trainer = small_grid(), small_trainer(PhysicsObjective(EdgeLoss()))
        one, two = (trainer.evaluate(grid, batch_size=b) for b in (7, 1000))
        for part in ("kl", "floor", "psi"):
            assert_close(getattr(one, part), getattr(two, part))

    def test_psi_is_that_of_the_whole_map(self):
        grid, trainer = small_grid(), small_trainer(PhysicsObjective(EdgeLoss()), tile=4)
        assert_close(trainer.evaluate(grid).psi, EdgeLoss()(trainer.model.latent_maps(grid)))

    def test_the_negative_elbo_is_the_models(self):
        grid, trainer = small_grid(), small_trainer()
        patches = grid.patches.reshape(-1, 8, 8)
        many = [trainer.evaluate(grid, seed=s).neg_elbo for s in range(40)]
        with torch.no_grad():
            direct = [trainer.model.neg_elbo(patches) for _ in range(40)]
        assert_close(torch.stack(many).mean(), torch.stack(direct).mean(), rtol=1e-3, atol=0)


class TestPyroVEDsHabits:
    def test_step_and_statistics(self, capsys):
        trainer, beta = small_trainer(PhysicsObjective(EdgeLoss())), LinearBeta(0.1, 1.0, 2)
        trainer.print_statistics()
        for epoch in range(2):
            trainer.step(small_grid(), scale_factor=beta(epoch))
            trainer.print_statistics()
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "No epoch trained yet."
        assert lines[2].startswith("Epoch: 2 Training loss: ")
        assert "beta: 1" in lines[2]
        assert len(trainer.loss_history["training_loss"]) == 2
        assert trainer.epochs_done == 2

    def test_stepping_is_fitting(self):
        a, b = small_trainer(), small_trainer()
        a.fit(small_grid(), epochs=2, beta=0.5, progress=False)
        for _ in range(2):
            b.step(small_grid(), scale_factor=0.5)
        assert_identical(weights(a), weights(b))


class TestNonFiniteLoss:
    def poisoned(self, epoch):
        """Return a trainer whose physics loss turns NaN at this epoch, and its grid."""
        holder = {}

        def physics(maps):
            psi = EdgeLoss()(maps)
            return psi * torch.nan if holder["trainer"].epochs_done == epoch else psi

        holder["trainer"] = small_trainer(PhysicsObjective(physics))
        return holder["trainer"]

    def test_the_error_names_the_epoch_and_the_last_finite_parts(self):
        trainer = self.poisoned(epoch=2)
        with pytest.raises(NonFiniteLossError, match=r"in epoch 3 .*Last finite epoch: -ELBO \d"):
            trainer.fit(small_grid(), epochs=5, progress=False)

    def test_the_last_good_weights_are_kept(self):
        trainer, grid = self.poisoned(epoch=1), small_grid()
        trainer.fit(grid, epochs=1, progress=False)
        good = weights(trainer)
        with pytest.raises(NonFiniteLossError):
            trainer.fit(grid, epochs=1, progress=False)
        assert_identical(good, weights(trainer))
        assert trainer.epochs_done == len(trainer.history) == 1

    def test_training_goes_on_as_if_the_epoch_had_not_been_tried(self):
        factor = [1.0]
        trainer = small_trainer(PhysicsObjective(lambda maps: factor[0] * EdgeLoss()(maps)))
        alone, grid = small_trainer(PhysicsObjective(EdgeLoss())), small_grid()
        alone.fit(grid, epochs=2, progress=False)
        trainer.fit(grid, epochs=1, progress=False)
        factor[0] = torch.nan
        with pytest.raises(NonFiniteLossError):
            trainer.fit(grid, epochs=1, progress=False)
        factor[0] = 1.0
        trainer.fit(grid, epochs=1, progress=False)
        assert_identical(weights(alone), weights(trainer))

    def test_a_failure_in_the_first_epoch_says_so(self):
        with pytest.raises(NonFiniteLossError, match="none before it"):
            self.poisoned(epoch=0).fit(small_grid(), epochs=1, progress=False)

    def test_a_negative_physics_loss_is_refused(self):
        trainer = small_trainer(PhysicsObjective(lambda maps: -EdgeLoss()(maps)))
        with pytest.raises(ValueError, match="must be >= 0"):
            trainer.fit(small_grid(), epochs=1, progress=False)


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"lr": 0.0}, "lr=0.0"),
            ({"pixels": 0.0}, "pixels=0.0"),
            ({"pixels": 1.5}, "pixels=1.5"),
            ({"batch_size": 0}, "batch_size=0"),
            ({"tile": 1}, "tile=1"),
        ],
    )
    def test_bad_settings_are_named(self, settings, named):
        with pytest.raises(ValueError, match=named):
            small_trainer(**settings)

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"epochs": 0}, "epochs=0"),
            ({"epochs": 1, "steps_per_epoch": 0}, "steps_per_epoch=0"),
            ({"epochs": 1, "beta": -1.0}, "beta=-1.0"),
        ],
    )
    def test_bad_arguments_of_fit_are_named(self, settings, named):
        with pytest.raises(ValueError, match=named):
            small_trainer().fit(small_grid(), progress=False, **settings)

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"lr": "1e-3"}, "lr='1e-3' must be a number"),
            ({"pixels": "half"}, "pixels='half' must be a number"),
            ({"batch_size": 64.0}, "batch_size=64.0 must be an integer >= 1"),
            ({"tile": "a"}, "tile='a' must be an integer >= 2"),
            ({"seed": None}, "seed=None must be an integer >= 0"),
        ],
    )
    def test_settings_of_another_kind_are_named(self, settings, named, unchecked):
        with pytest.raises(TypeError, match=named):
            unchecked(PhysicsTrainer, ShiftVAE((8, 8)), **settings)

    def test_a_negative_seed_is_refused(self):
        with pytest.raises(ValueError, match="seed=-1 must be at least 0"):
            PhysicsTrainer(ShiftVAE((8, 8)), seed=-1)

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            ({"grid": 3, "epochs": None}, "grid is of type int, but must be a PatchGrid"),
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

    def test_step_and_evaluate_name_their_own_argument(self, unchecked):
        trainer, grid = small_trainer(), small_grid()
        with pytest.raises(TypeError, match="scale_factor='1' must be a number"):
            unchecked(PhysicsTrainer.step, trainer, grid, scale_factor="1")
        with pytest.raises(TypeError, match="beta='1' must be a number"):
            unchecked(PhysicsTrainer.evaluate, trainer, grid, beta="1")
        with pytest.raises(ValueError, match="batch_size=0 must be at least 1"):
            trainer.evaluate(grid, batch_size=0)

    def test_callbacks_from_an_iterator_outlive_the_first_epoch(self):
        seen = []
        callbacks = iter([lambda trainer, epochs: seen.append(epochs)])
        small_trainer().fit(small_grid(), epochs=3, progress=False, callbacks=callbacks)
        assert seen == [1, 2, 3]

    def test_what_is_no_model_or_objective_is_refused(self, unchecked):
        model = ShiftVAE((8, 8))
        with pytest.raises(TypeError, match=r"objective=EdgeLoss.*PhysicsObjective\(loss"):
            unchecked(PhysicsTrainer, model, EdgeLoss())
        with pytest.raises(TypeError, match=r"model is of type PhysicsObjective"):
            unchecked(PhysicsTrainer, PhysicsObjective(), model)

    def test_a_single_callback_is_refused_with_the_cure(self, unchecked):
        with pytest.raises(TypeError, match=r"callbacks=.*: \[callback\]"):
            unchecked(
                PhysicsTrainer.fit, small_trainer(), small_grid(), 1, callbacks=lambda t, e: None
            )

    def test_a_grid_of_other_patches_is_refused(self):
        grid = PatchGrid(np.random.default_rng(0).random((30, 30)), size=9)
        with pytest.raises(ValueError, match=r"patches are \(9, 9\)"):
            small_trainer().fit(grid, epochs=1, progress=False)

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


class TestCollapse:
    def collapsed(self, std=1.0):
        """A model whose encoder says the same, this surely, of every patch."""
        trainer = small_trainer(lr=1e-12)
        with torch.no_grad():
            for layer in (trainer.model.encoder_z.fc11, trainer.model.encoder_z.fc12):
                layer.weight.zero_()
            trainer.model.encoder_z.fc12.bias.fill_(float(np.log(np.expm1(std))))
        return trainer

    def test_maps_that_say_nothing_are_reported_once(self):
        trainer = self.collapsed()
        with pytest.warns(CollapsedMapsWarning, match=r"0.0%, 0.0%.* after 1 epochs"):
            trainer.fit(small_grid(), 1, progress=False)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            trainer.fit(small_grid(), 1, progress=False)
        assert not caught

    @pytest.mark.parametrize(("std", "collapsed"), [(2.0, True), (0.5, False)])
    def test_one_latent_above_its_own_uncertainty_is_enough(self, std, collapsed):
        trainer = self.collapsed(std)
        grid = small_grid()
        layer = trainer.model.encoder_z.fc11
        with torch.no_grad():
            layer.weight[2].normal_()
            layer.weight[2] /= trainer.model.latent_maps(grid)[0].std()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            trainer.fit(grid, 1, progress=False)
        assert [w.category for w in caught] == [CollapsedMapsWarning] * collapsed


class TestSignal:
    def test_is_the_share_of_variance_between_patches(self):
        mean = torch.tensor([[0.0, 1.0], [0.0, 3.0]])
        signal = Posterior(mean, torch.full((2, 2), 2.0)).signal()
        assert_close(signal, torch.tensor([0.0, 1 / (1 + 4)]))

    def test_of_a_class_that_is_empty_for_certain_is_zero(self):
        empty_and_full = torch.tensor([[0.0, 1.0]]).expand(5, 2)
        signal = Posterior(empty_and_full, torch.zeros(5, 2)).signal()
        assert_close(signal, torch.zeros(2))


class TestDraws:
    """What is drawn in a step instead of being computed in full."""

    @pytest.mark.parametrize(("side", "share"), [(24, 0.2), (40, 0.2), (12, 100 / 144), (8, 1.0)])
    def test_a_fifth_of_the_pixels_but_no_fewer_than_100(self, side, share):
        assert PhysicsTrainer(ShiftVAE((side, side))).state.options.pixels == pytest.approx(share)

    def test_the_objective_gets_the_sites(self, monkeypatch):
        trainer, seen = small_trainer(PhysicsObjective(EdgeLoss()), sites=40), []
        backward = trainer.objective.backward

        def watched(model, batch, beta):
            seen.append(batch.sites)
            return backward(model, batch, beta)

        monkeypatch.setattr(trainer.objective, "backward", watched)
        trainer.step(small_grid())
        assert seen
        assert all(len(sites) == 40 for sites in seen)

    def test_every_epoch_draws_other_patches_pixels_and_noise(self, monkeypatch):
        trainer, seen = small_trainer(pixels=0.5), []
        backward = trainer.objective.backward

        def watched(model, batch, beta):
            noise = batch.decoding.generator.get_state()
            seen.append((batch.tile.pixels, batch.decoding.pixels, noise))
            return backward(model, batch, beta)

        monkeypatch.setattr(trainer.objective, "backward", watched)
        for _ in range(2):
            trainer.step(small_grid(), steps_per_epoch=1)
        first, second = seen
        assert not any(torch.equal(*pair) for pair in zip(first, second, strict=True))

    def test_fewer_sites_train_another_model_to_a_similar_loss(self):
        grid, losses = small_grid(), []
        for sites in (1, 10**6):
            trainer = small_trainer(PhysicsObjective(EdgeLoss()), sites=sites)
            for _ in range(5):
                trainer.step(grid)
            losses.append(float(trainer.evaluate(grid).neg_elbo))
        assert losses[0] != losses[1]
        assert losses[0] == pytest.approx(losses[1], rel=0.02)
