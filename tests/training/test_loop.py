"""An epoch, whole or not at all; on grids that are no full raster, too, and on several."""

import signal
import threading
import time

import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import EdgeLoss, NonFiniteLossError, PatchGrid, PhysicsObjective, TotalVariation
from phyvae.training.epoch import Means
from phyvae.training.loop import mixed_seed, refuse_unusable, steps_in_epoch
from sites import PHANTOM, SIZE, series, small, trained, with_hole, without_lattice
from small import (
    assert_identical,
    assert_same_state,
    fit,
    small_grid,
    small_trainer,
    tiny_grid,
    tiny_trainer,
    weights,
)
from stops import Stops

pytestmark = pytest.mark.filterwarnings("ignore::phyvae.CollapsedMapsWarning")


@pytest.fixture
def ctrl_c():
    """Python's own handler: a shell that starts the tests in the background has none."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class TestAnEpochIsWholeOrNotAtAll:
    @pytest.mark.parametrize(
        ("at", "error"),  # of 6 steps an epoch
        [
            (1, KeyboardInterrupt),
            (3, RuntimeError),
            (9, MemoryError),
            (15, KeyboardInterrupt),
            (18, RuntimeError),
        ],
    )
    def test_after_ctrl_c_or_an_error_all_is_as_before_it_and_goes_on_to_the_same_bits(
        self, at, error
    ):
        whole, stopped = (tiny_trainer(PhysicsObjective(Stops(n, error))) for n in (None, at))
        with pytest.raises(error):
            fit(stopped, 4)
        done = (at - 1) // 6
        assert stopped.epochs_done == len(stopped.history) == done
        if done:
            fit(whole, done)
            assert_same_state(whole, stopped)
        for trainer in (whole, stopped):
            fit(trainer, 4 - done)
        assert_same_state(whole, stopped)

    def test_the_interrupt_says_what_is_kept(self):
        trainer = tiny_trainer(PhysicsObjective(Stops(15)))
        with pytest.raises(KeyboardInterrupt) as stop:
            fit(trainer, 4)
        assert "Training ended after 2 epochs" in stop.value.__notes__[0]
        assert trainer.model.latent_maps(tiny_grid()).isfinite().all()

    def test_a_signal_in_the_middle_of_training_is_ctrl_c(self, ctrl_c):
        trainer = tiny_trainer()
        started = threading.Event()

        def interrupt():
            started.wait()
            time.sleep(0.2)
            signal.raise_signal(signal.SIGINT)

        killer = threading.Thread(target=interrupt)
        killer.start()
        with pytest.raises(KeyboardInterrupt):
            fit(trainer, 3000, callbacks=[lambda trainer, epoch: started.set()])
        killer.join()
        again = tiny_trainer()
        fit(again, trainer.epochs_done)
        assert_same_state(again, trainer)

    @pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
    def test_a_callback_that_raises_leaves_the_epoch_before_it(self, error):
        def fail(trainer, epoch):
            if epoch == 2:
                raise error

        whole, stopped = tiny_trainer(), tiny_trainer()
        with pytest.raises(error):
            fit(stopped, 4, callbacks=[fail])
        fit(whole, 2)
        assert_same_state(whole, stopped)
        for trainer in (whole, stopped):
            fit(trainer, 2)
        assert_same_state(whole, stopped)


class TestSeeds:
    def test_of_neighbouring_numbers_are_all_different(self):
        seeds = {
            mixed_seed(*numbers) for numbers in [(0, 0), (0, 1), (1, 0), (0, 0, 1), (0, 1, 1)]
        }
        assert len(seeds) == 5
        assert all(0 <= seed < 2**63 for seed in seeds)
        assert mixed_seed(3, 5) == mixed_seed(3, 5)


class TestStepsInEpoch:
    def test_decode_each_patch_about_once_unless_chosen(self):
        state, grids = tiny_trainer().state, [tiny_grid(), tiny_grid(1)]
        assert steps_in_epoch(state, grids[:1], None) == round(56 / 10)
        assert steps_in_epoch(state, grids, None) == 2 * round(56 / 10)
        assert steps_in_epoch(state, grids, 4) == 4


class TestHoles:
    def test_sites_that_fill_a_raster_train_as_the_raster_does(self):
        raster = PatchGrid(PHANTOM.image, size=SIZE, step=9)
        sites = PatchGrid.at(PHANTOM.image, raster.centers.reshape(-1, 2), SIZE)
        assert sites.shape == raster.shape
        assert torch.equal(sites.patches, raster.patches)
        one, other = trained(raster).model, trained(sites).model
        assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)
        assert_close(one.latent_maps(raster), other.latent_maps(sites))

    def test_maps_are_nan_where_there_is_no_patch_and_there_alone(self):
        grid = with_hole()
        maps = small().latent_maps(grid)
        assert torch.equal(maps.isfinite().all(0), grid.mask)
        assert int(maps.isnan().any(0).sum()) == 3
        labels = phyvae.segment(maps, 2)
        assert ((labels == -1) == ~grid.mask.numpy()).all()

    def test_an_empty_cell_is_never_gathered(self, monkeypatch):
        grid = with_hole()
        filled, seen = set(grid.indices.tolist()), set()
        gather = type(grid).gather

        def spy(self, index):
            seen.update(index.tolist())
            return gather(self, index)

        monkeypatch.setattr(type(grid), "gather", spy)
        trainer = trained(grid, sites=30, tile=7)
        trainer.evaluate(grid)
        trainer.model.latent_maps(grid)
        assert seen == filled

    def test_refine_moves_the_patches_and_leaves_the_holes(self):
        grid, objective = with_hole(), PhysicsObjective(TotalVariation("none"))
        model = trained(grid).model
        found = phyvae.refine(model, grid, objective, iterations=1, samples=2, progress=False)
        for maps in (found.maps, found.stds, found.shifts):
            assert torch.equal(maps.isfinite().all(0), grid.mask)
        assert (found.energy.diff() <= 0).all()


class TestSitesWithoutALattice:
    def test_trains_and_has_maps(self):
        grid, objective = without_lattice(), PhysicsObjective(TotalVariation())
        trainer = trained(grid, objective)
        maps = trainer.model.latent_maps(grid)
        assert maps.shape == (2, 1, 90)
        expected = objective.physics.on_graph(maps[:, 0], grid.graph)
        assert_close(trainer.evaluate(grid).psi, expected, rtol=1e-4, atol=1e-5)

    def test_refine(self):
        grid, objective = without_lattice(), PhysicsObjective(TotalVariation("none"))
        model = trained(grid).model
        found = phyvae.refine(model, grid, objective, iterations=1, samples=2, progress=False)
        assert found.maps.shape == (2, 1, 90)
        assert (found.energy.diff() <= 0).all()
        expected = (found.maps - model.latent_maps(grid).mean((1, 2), keepdim=True)).abs().max()
        assert expected > 0

    def test_a_loss_of_a_raster_is_refused(self):
        def roughness(maps, mask=None):
            return maps.diff(dim=-1).square().mean()

        with pytest.raises(ValueError, match="is a function of a raster"):
            trained(without_lattice(), PhysicsObjective(roughness))
        with pytest.raises(ValueError, match="FourierLoss"):
            trained(without_lattice(), PhysicsObjective(phyvae.FourierLoss()))


class TestSeries:
    def test_one_grid_in_a_list_is_the_grid(self):
        grid = PatchGrid(PHANTOM.image, size=SIZE, step=9)
        one, other = trained([grid]).model, trained(grid).model
        assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)

    def test_the_model_learns_from_all_and_has_a_map_of_each(self):
        grids = series()
        trainer = trained(grids)
        for grid in grids:
            assert trainer.model.latent_maps(grid).shape == (2, *grid.shape)
        alone = trained(grids[0]).model
        weights = [model.encoder_z.fc11.weight for model in (alone, trainer.model)]
        assert not torch.equal(*weights)


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
