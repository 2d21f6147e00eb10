"""Maps that carry no signal are reported, once."""

import warnings

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from phyvae import CollapsedMapsWarning, PatchGrid
from phyvae.models.posterior import Posterior
from phyvae.training import collapse
from sites import PHANTOM, SIZE, on_sites, small, trained, with_hole
from small import assert_same_state, fit, small_grid, small_trainer, tiny_trainer


class TestReports:
    def run(self, monkeypatch, signals, kl=None, epochs=10, steps=600):
        """Train with maps that say so much after each epoch; return the warnings by epoch."""
        trainer, seen = tiny_trainer(lr=1e-12), []
        shares = lambda model, grids: [0.0, signals[trainer.epochs_done - 1]]  # noqa: E731
        monkeypatch.setattr(collapse, "signals", shares)
        epoch = lambda *_: self.epoch(trainer, kl)  # noqa: E731
        monkeypatch.setattr("phyvae.training.trainer.run_epoch", epoch)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit(trainer, epochs, steps_per_epoch=steps,
                callbacks=[lambda trainer, epoch: seen.append(len(caught))])  # fmt: skip
        return [w.message for w in caught], seen

    def epoch(self, trainer, kl):
        row = [
            trainer.epochs_done + 1,
            1.0,
            1.0,
            1.0,
            5.0 if kl is None else kl,
            0.0,
            0.1,
            1.0,
            0.1,
        ]
        trainer.state.rows.append(row)
        return {"neg_elbo": 1.0, "psi": 0.1, "beta": 1.0}

    def test_maps_that_say_nothing_are_reported_at_half_time_and_once(self, monkeypatch):
        (warning,), seen = self.run(monkeypatch, [0.1] * 10)
        assert seen == [0] * 5 + [1] * 5
        assert isinstance(warning, CollapsedMapsWarning)
        assert "carry no signal yet: 0.0%, 10.0% of their variance" in str(warning)
        assert "a smaller lr or a larger batch_size" in str(warning)

    def test_a_short_run_has_until_its_end(self, monkeypatch):
        _, seen = self.run(monkeypatch, [0.1] * 10, steps=5)
        assert seen == [0] * 10
        (_,), _ = self.run(monkeypatch, [0.1] * 10, steps=5)

    def test_maps_that_no_longer_say_what_they_did_are_reported_at_once(self, monkeypatch):
        (warning,), seen = self.run(
            monkeypatch, [0.1, 0.7, 0.8, 0.4, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1]
        )
        assert seen == [0] * 5 + [1] * 5
        assert "have collapsed" in str(warning)
        assert "after 5 epochs, and at least half of one map's did after 3" in str(warning)
        assert "Pass a smaller lr or a larger batch_size" in str(warning)

    def test_a_collapsed_posterior_is_called_so(self, monkeypatch):
        (warning,), _ = self.run(monkeypatch, [0.1] * 10, kl=0.02)
        assert "posterior has collapsed onto the prior (KL 0.02 nats per patch)" in str(warning)
        assert "decoder_sig" in str(warning)

    def test_maps_that_form_late_or_waver_are_not_reported(self, monkeypatch):
        wavering = [0.1, 0.2, 0.3, 0.4, 0.6, 0.4, 0.3, 0.3, 0.6, 0.9]
        assert self.run(monkeypatch, wavering) == ([], [0] * 10)

    def test_the_look_changes_nothing(self, monkeypatch):
        one, other = tiny_trainer(), tiny_trainer()
        monkeypatch.setattr(other._collapse, "look", lambda *_: None)
        for trainer in (one, other):
            fit(trainer, 3)
        assert_same_state(one, other)


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

    @pytest.mark.parametrize(
        "grid", [PatchGrid(PHANTOM.image, SIZE, 9), with_hole(), on_sites(lattice=False)]
    )
    def test_is_the_share_of_the_variance_between_patches(self, grid):
        model = trained(grid).model
        maps, stds = model.latent_maps(grid), model.latent_stds(grid)
        there = maps.isfinite().all(0)
        between = maps[:, there].var(1, correction=0)
        expected = between / (between + stds[:, there].square().mean(1))
        assert_close(model.signal(grid), expected)
        assert_close(model.signal(grid, batch_size=7), expected)

    def test_patches_of_another_size_are_refused(self):
        with pytest.raises(ValueError, match="patches are"):
            small().signal(PatchGrid(PHANTOM.image, size=SIZE + 1))

    def test_of_a_small_grid_the_watch_sees_all_of_it(self):
        trainer, grid = small_trainer(), small_grid()
        many = collapse.signals(trainer.model, 20 * [grid])
        assert_close(torch.tensor(many), trainer.model.signal(grid), rtol=0.2, atol=0.02)


class TestWatched:
    def test_is_due_ten_times_in_a_call_and_at_its_end(self, unchecked):
        call = unchecked(collapse.Watched, [], 34, 10)
        assert [epoch for epoch in range(1, 35) if call.is_due(epoch)] == [*range(3, 34, 3), 34]

    def test_is_late_at_half_time_after_a_thousand_steps(self):
        assert [collapse.Watched([], 100, 10).is_late(epoch) for epoch in (99, 100)] == [
            False,
            True,
        ]
        assert [collapse.Watched([], 9, 600).is_late(epoch) for epoch in (4, 5)] == [False, True]


def test_a_stack_is_not_advised_to_begin_with_align():
    grid = small_grid()
    stack = PatchGrid.from_patches(grid.patches.flatten(0, 1))
    model = small_trainer().model
    assert "phyvae.align" in collapse.advice_on(model, [grid])
    assert collapse.advice_on(model, [stack]).startswith(
        "Domains segmented from them may be mostly noise. Train longer"
    )
