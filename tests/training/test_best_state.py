"""A training that makes the maps worse goes back."""

import warnings

import pytest
import torch

from phyvae import LostMapsWarning
from phyvae.training import best_state
from phyvae.training.quality import Quality
from small import assert_identical, assert_same_state, fit, tiny_trainer, weights


def quality(information=1.0, neg_elbo=10.0, signal=0.5, spread=0.1):
    """A quality whose batches differ, alike in every look but for a little noise."""
    noise = [spread * (-1) ** k * (1 + neg_elbo % 1) for k in range(16)]
    return Quality([neg_elbo + x for x in noise], [0.0] * 16, information, signal)


@pytest.fixture
def train(monkeypatch):
    """Train with given qualities: of the start, and then after each epoch."""

    def run(qualities, trainer=None, **settings):
        trainer = tiny_trainer() if trainer is None else trainer
        seen, found = [weights(trainer)], iter(qualities)
        monkeypatch.setattr(best_state, "quality_of", lambda *_: next(found))
        keep = lambda trainer, _: seen.append(weights(trainer))  # noqa: E731
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit(trainer, len(qualities) - 1, callbacks=[keep], **settings)
        texts = [str(w.message) for w in caught if w.category is LostMapsWarning]
        return trainer, seen, texts

    return run


class TestTheEnd:
    def test_of_a_training_that_lost_the_maps_is_what_it_began_with(self, train):
        trainer, seen, (text,) = train([quality(1.0), quality(0.5)])
        assert_identical(weights(trainer), seen[0])
        assert "after 1 epochs" in text
        assert "0.5 nats in common, of 1 before" in text
        assert "that of 0 epochs, which this call began with" in text
        assert trainer.epochs_done == 1

    def test_is_the_best_state_if_that_is_better(self, train):
        trainer, seen, texts = train([quality(1.0), quality(1.5), quality(1.4), quality(1.1)])
        assert_identical(weights(trainer), seen[1])
        assert "that of 1 epochs, the best so far" in texts[0]

    def test_stays_if_it_is_no_worse_than_the_best(self, train):
        trainer, seen, texts = train([quality(1.0), quality(1.04), quality(0.95, 9.0)])
        assert not texts
        assert not torch.equal(weights(trainer)["decoder.out.weight"],
                               seen[1]["decoder.out.weight"])  # fmt: skip

    @pytest.mark.parametrize(("neg_elbo", "lost"), [(160.0, True), (150.0, False)])
    def test_weighs_the_maps_against_neg_elbo(self, train, neg_elbo, lost):
        _, _, texts = train([quality(2.0, 200.0), quality(0.5, neg_elbo)])
        assert len(texts) == lost

    def test_is_its_own_where_nothing_could_be_lost(self, train):
        untrained = {"information": 0.9, "signal": 0.004}
        _, _, texts = train([quality(**untrained), quality(0.1), quality(0.05)])
        assert not texts

    def test_leaves_nothing_in_the_state(self, train):
        trainer, _, _ = train([quality(1.0), quality(0.1), quality(1.0)])
        assert trainer.state.best is None


class TestAJump:
    @pytest.mark.parametrize(("rise", "lost"), [(0.9, False), (1.2, True)])
    def test_is_more_than_a_nat(self, train, rise, lost):
        calm = {"spread": 1e-3}
        _, _, texts = train([quality(**calm), quality(neg_elbo=10.0 + rise, **calm)])
        assert len(texts) == lost

    def test_goes_back_with_a_smaller_rate_and_goes_on(self, train):
        looks = [quality(), quality(1.1), quality(1.1, neg_elbo=13.0), quality(1.2)]
        trainer, seen, (text,) = train(looks)
        assert_identical(seen[2], seen[1])
        assert not torch.equal(seen[3]["decoder.out.weight"], seen[1]["decoder.out.weight"])
        assert "−ELBO rose from 10 to 13 nats per patch" in text
        rate = trainer.settings["lr"] / 4
        assert trainer.optimizer.param_groups[0]["lr"] == rate
        assert f"learning rate is now {rate:.2g}" in text
        assert "pass a smaller lr" in text

    def test_to_what_is_no_number_goes_back(self, train):
        _, _, (text,) = train([quality(), quality(neg_elbo=float("nan"))])
        assert "rose" in text

    def test_within_the_noise_of_the_batches_is_none(self, train):
        _, _, texts = train([quality(neg_elbo=10.0, spread=4.0), quality(neg_elbo=10.5)])
        assert not texts

    def test_happens_at_most_three_times_and_once_more_in_the_end(self, train):
        trainer, seen, texts = train([quality(), *7 * [quality(neg_elbo=20.0)]])
        assert len(texts) == 4
        assert_identical(weights(trainer), seen[0])
        assert ["pass a smaller lr" in text for text in texts] == [True, False, False, False]
        assert "use the maps as they are" in texts[1]

    def test_is_looked_for_ten_times_in_a_call(self, monkeypatch):
        seen = []
        monkeypatch.setattr(best_state, "quality_of", lambda *_: seen.append(1) or quality())
        fit(tiny_trainer(), 34)
        assert len(seen) == 1 + 12


class TestFiles:
    def test_a_killed_run_goes_on_to_the_same_bits(self, train, tmp_path, monkeypatch):
        looks = [quality(), quality(1.4), quality(1.3), quality(0.2), quality(0.3)]
        whole, _, texts = train(looks)
        assert len(texts) == 2
        stopped, path = tiny_trainer(), tmp_path / "run.phyvae"

        def kill(trainer, epoch):
            if epoch == 3:
                trainer.save(path)
                raise ZeroDivisionError

        found = iter(looks)
        monkeypatch.setattr(best_state, "quality_of", lambda *_: next(found))
        with pytest.raises(ZeroDivisionError), pytest.warns(LostMapsWarning):
            fit(stopped, 4, callbacks=[kill])
        resumed = tiny_trainer()
        with pytest.warns(LostMapsWarning):
            fit(resumed, 4, resume=path)
        assert_same_state(whole, resumed)
