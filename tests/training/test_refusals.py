import pytest
import torch

from phyvae import EdgeLoss, NonFiniteLossError, PhysicsObjective
from phyvae.training.epoch import Means
from phyvae.training.refusals import refuse_unusable
from small import assert_identical, small_grid, small_trainer, tiny_trainer, weights


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


class TestMeans:
    """Means of an epoch, by hand."""

    def means(self, negative_psi=0.0, negative_loss=0.0, **parts):
        usual = {"loss": 1.0, "neg_elbo": 2.0, "kl": 0.5, "floor": 1.0, "psi": 0.2}
        return Means(usual | parts, negative_psi, negative_loss)

    def state(self, coupling="product"):
        return tiny_trainer(PhysicsObjective(EdgeLoss(), coupling=coupling)).state

    @pytest.mark.parametrize("coupling", ["balanced", "product", "published"])
    def test_usual_ones_pass(self, coupling):
        refuse_unusable(self.state(coupling), self.means())

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_a_part_that_is_no_number_is_named(self, value):
        with pytest.raises(NonFiniteLossError, match=rf"in epoch 1 .*kl {value}.*none before it"):
            refuse_unusable(self.state(), self.means(kl=value))

    @pytest.mark.parametrize("coupling", ["balanced", "product"])
    def test_a_negative_psi_is_refused_with_its_share_of_the_steps(self, coupling):
        with pytest.raises(ValueError, match=r"negative in 25% of the steps \(0\.2 on average\)"):
            refuse_unusable(self.state(coupling), self.means(negative_psi=0.25))

    def test_so_is_a_negative_factor_of_the_product_and_of_no_other_coupling(self):
        with pytest.raises(ValueError, match=r"measured from its floor, was negative in 50% of"):
            refuse_unusable(self.state(), self.means(negative_loss=0.5))
        refuse_unusable(self.state("balanced"), self.means(negative_loss=0.5))
