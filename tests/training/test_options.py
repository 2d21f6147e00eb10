from dataclasses import asdict

import pytest
import torch

from phyvae import PhysicsTrainer, ShiftVAE
from phyvae.training.options import as_callbacks, checked_options
from small import small_grid, small_trainer, tiny_grid, tiny_model, tiny_trainer

SETTINGS = {
    "lr": 0.01,
    "warmup": 3,
    "batch_size": 7,
    "tile": 5,
    "sites": 9,
    "pixels": 0.5,
    "precision": "float32",
    "deterministic": False,
    "seed": 2,
}


class TestCheckedOptions:
    def test_are_the_settings(self):
        assert asdict(checked_options(tiny_model(), **SETTINGS)) == SETTINGS

    @pytest.mark.parametrize(
        ("side", "share"), [(24, 0.2), (54, 288 / 54**2), (12, 100 / 144), (8, 1.0)]
    )
    def test_a_fifth_of_the_pixels_but_100_to_288(self, side, share):
        assert PhysicsTrainer(ShiftVAE((side, side))).state.options.pixels == pytest.approx(share)

    @pytest.mark.parametrize(("batch", "lr"), [(1, 2e-5), (16, 3.2e-4), (100, 2e-3), (400, 2e-3)])
    def test_the_rate_is_in_proportion_to_a_small_batch(self, batch, lr):
        trainer = small_trainer(batch_size=batch)
        assert trainer.settings["lr"] == pytest.approx(lr)
        assert trainer.optimizer.param_groups[0]["lr"] == trainer.settings["lr"]

    @pytest.mark.parametrize(
        ("shape", "lr"), [((24, 24), 1e-3), ((48, 48), 2.5e-4), ((64,), 2e-3), ((16, 18), 2e-3)]
    )
    def test_the_rate_is_inverse_to_the_pixels_of_a_large_patch(self, shape, lr):
        assert PhysicsTrainer(ShiftVAE(shape)).settings["lr"] == pytest.approx(lr)

    @pytest.mark.parametrize(("side", "batch", "small"), [(24, 16, True), (24, 100, False)])
    def test_little_to_decode_belongs_on_one_thread(self, side, batch, small):
        model = ShiftVAE((side, side))
        options = PhysicsTrainer(model, batch_size=batch).state.options
        assert options.has_small_steps(model) == small

    def test_the_type_is_that_of_the_precision(self):
        model = tiny_model()
        for precision in ("float32", "bfloat16"):
            options = checked_options(model, **(SETTINGS | {"precision": precision}))
            assert options.dtype(model) == getattr(torch, precision)


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"lr": 0.0}, "lr=0 must be > 0"),
            ({"pixels": 0.0}, "pixels=0 is a share"),
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
        ("settings", "error", "named"),
        [
            ({"lr": float("inf")}, ValueError, "lr=inf"),
            ({"sites": 0}, ValueError, "sites=0 must be at least 1"),
            ({"warmup": -1}, ValueError, "warmup=-1 must be at least 0"),
            ({"deterministic": 1}, TypeError, "deterministic=1 must be True or False"),
        ],
    )
    def test_further_ones_too(self, settings, error, named, unchecked):
        with pytest.raises(error, match=named):
            unchecked(checked_options, tiny_model(), **(SETTINGS | settings))


def test_callbacks_are_called_after_every_epoch():
    seen = []
    trainer = small_trainer()
    trainer.fit(
        small_grid(), epochs=3, progress=False, callbacks=[lambda t, e: seen.append((t, e))]
    )
    assert seen == [(trainer, 1), (trainer, 2), (trainer, 3)]


def test_callbacks_from_an_iterator_outlive_the_first_epoch():
    seen = []
    callbacks = iter([lambda trainer, epochs: seen.append(epochs)])
    small_trainer().fit(small_grid(), epochs=3, progress=False, callbacks=callbacks)
    assert seen == [1, 2, 3]


def test_the_callbacks_are_a_list_in_their_order():
    def one(trainer, epoch): ...

    def other(trainer, epoch): ...

    assert as_callbacks((one, other)) == [one, other]
    assert as_callbacks(iter([other, one])) == [other, one]
    assert as_callbacks([]) == []


class TestRefusalsOfCallbacks:
    def test_a_single_callback_is_refused_with_the_cure(self, unchecked):
        with pytest.raises(TypeError, match=r"callbacks=.*: \[callback\]"):
            unchecked(
                PhysicsTrainer.fit, small_trainer(), small_grid(), 1, callbacks=lambda t, e: None
            )

    def test_a_callback_of_another_form_is_refused_before_work(self, unchecked):
        trainer = tiny_trainer()
        with pytest.raises(TypeError, match=r"callback=.* must be \(trainer, epochs_done\)"):
            unchecked(
                PhysicsTrainer.fit, trainer, tiny_grid(), 1, callbacks=[lambda trainer: None]
            )
        assert trainer.epochs_done == 0
