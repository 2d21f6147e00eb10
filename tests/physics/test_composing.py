"""Reciprocals, chosen channels, and weights that follow the epochs of a training."""

import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import (
    DirichletEnergy,
    EdgeLoss,
    LinearBeta,
    Maximize,
    OnChannels,
    Scheduled,
)


class TestMaximize:
    def test_falls_as_the_loss_rises(self):
        flat, noise = torch.ones(1, 9, 9), torch.rand(1, 9, 9)
        assert Maximize(EdgeLoss())(noise) < Maximize(EdgeLoss())(flat) == 1

    def test_published_numbers_have_their_reciprocal(self):
        maps = torch.rand(2, 10, 10)
        expected = 1 / (1 + EdgeLoss().published(maps))
        assert Maximize(EdgeLoss()).published(maps) == pytest.approx(expected)


class TestOnChannels:
    def test_is_the_loss_of_these_maps_in_this_order(self):
        maps, mask = torch.rand(3, 9, 11), torch.rand(9, 11) > 0.2
        loss = OnChannels(phyvae.BoundCharge(), [2, 0])
        assert_close(loss(maps, mask), phyvae.BoundCharge()(maps[[2, 0]], mask))
        published = OnChannels(EdgeLoss(), [1]).published(maps)
        assert published == pytest.approx(EdgeLoss().published(maps[1:2]))

    def test_the_other_maps_feel_no_force(self):
        maps = torch.rand(3, 9, 9, requires_grad=True)
        OnChannels(EdgeLoss(), [1])(maps).backward()
        assert maps.grad[1].abs().max() > 0
        assert (maps.grad[[0, 2]] == 0).all()

    def test_each_latent_has_a_physics_of_its_own(self):
        maps = torch.rand(2, 9, 9)
        loss = OnChannels(EdgeLoss(), [0]) + 0.5 * OnChannels(DirichletEnergy(), [1])
        assert_close(loss(maps), EdgeLoss()(maps[:1]) + 0.5 * DirichletEnergy()(maps[1:]))

    def test_a_channel_that_is_not_there_is_refused(self):
        with pytest.raises(ValueError, match=r"channels=\(0, 2\) but the maps have 2, 0 to 1"):
            OnChannels(EdgeLoss(), [0, 2])(torch.rand(2, 9, 9))

    @pytest.mark.parametrize("channels", [[], [-1], [0, 0], [0.5]])
    def test_bad_channels_are_refused(self, channels, unchecked):
        with pytest.raises(ValueError, match="channels="):
            unchecked(OnChannels, EdgeLoss(), channels)

    def test_what_is_no_list_or_no_loss_is_refused(self, unchecked):
        with pytest.raises(TypeError, match=r"channels=1 must be a list"):
            unchecked(OnChannels, EdgeLoss(), 1)
        with pytest.raises(TypeError, match=r"loss=EdgeLoss, a class, must be a PhysicsLoss"):
            unchecked(OnChannels, EdgeLoss, [0])


class TestScheduled:
    def test_the_weight_is_that_of_the_epoch_and_before_the_first_that_of_epoch_zero(self):
        maps = torch.rand(1, 9, 9, dtype=torch.float64)
        loss = Scheduled(EdgeLoss(), lambda epoch: 0.25 + epoch)
        assert_close(loss(maps), 0.25 * EdgeLoss()(maps))
        loss.set_epoch(3)
        assert_close(loss(maps), 3.25 * EdgeLoss()(maps))
        assert loss.published(maps) == pytest.approx(3.25 * EdgeLoss().published(maps))

    def test_the_epoch_reaches_losses_within_losses(self):
        maps, ramp = torch.rand(1, 9, 9), LinearBeta(0.0, 1.0, epochs=5)
        inner = OnChannels(Scheduled(EdgeLoss(), ramp), [0])
        loss = EdgeLoss() + 2.0 * Maximize(Scheduled(inner, ramp))
        phyvae.PhysicsObjective(loss).set_epoch(2)
        edges = EdgeLoss()(maps)
        assert_close(loss(maps), edges + 2 / (1 + 0.5 * 0.5 * edges))

    def test_an_objective_without_physics_or_with_a_function_has_epochs_too(self):
        phyvae.PhysicsObjective().set_epoch(1)
        phyvae.PhysicsObjective(lambda maps: maps.std()).set_epoch(1)

    @pytest.mark.parametrize("schedule", [-1.0, float("nan"), lambda epoch: -float(epoch == 0)])
    def test_a_negative_weight_is_refused(self, schedule):
        with pytest.raises(ValueError, match=r"schedule at epoch 0=.* must be .*Maximize"):
            Scheduled(EdgeLoss(), schedule)

    def test_one_that_comes_later_is_refused_then(self):
        loss = Scheduled(EdgeLoss(), lambda epoch: 1.0 - epoch)
        with pytest.raises(ValueError, match=r"schedule at epoch 2=-1 must be"):
            loss.set_epoch(2)

    def test_what_is_no_schedule_is_refused(self, unchecked):
        with pytest.raises(TypeError, match="schedule=LinearBeta is a class"):
            unchecked(Scheduled, EdgeLoss(), LinearBeta)
        with pytest.raises(TypeError, match="schedule at epoch 0='much' must be a number"):
            unchecked(Scheduled, EdgeLoss(), "much")
        with pytest.raises(TypeError, match="must be a PhysicsLoss"):
            unchecked(Scheduled, 3, 1.0)


class Epochs(phyvae.PhysicsLoss):
    """A user's loss that takes note of its epochs."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def set_epoch(self, epoch):
        self.seen.append(epoch)

    def forward(self, maps, mask=None):
        return phyvae.standardise(maps, mask).square().mean()


def trainer(physics):
    image = torch.rand(40, 40, generator=torch.Generator().manual_seed(0))
    grid = phyvae.PatchGrid(image.numpy(), size=8, step=8)
    model = phyvae.ShiftVAE(grid.patch_shape, hidden_dim_e=(8,), hidden_dim_d=(8,), seed=0)
    objective = phyvae.PhysicsObjective(physics)
    return phyvae.PhysicsTrainer(model, objective, batch_size=9, seed=0), grid


def test_the_trainer_names_each_epoch_once_and_counts_on():
    one, grid = trainer(EdgeLoss() + Maximize(Epochs()))
    one.fit(grid, epochs=2, progress=False)
    one.step(grid)
    assert one.objective.physics.terms[1].loss.seen == [0, 1, 2]


def test_models_that_train_side_by_side_have_their_epochs_too():
    _, grid = trainer(None)
    found = phyvae.sweep(
        grid,
        {"a": phyvae.PhysicsObjective(Epochs()), "b": phyvae.PhysicsObjective(Epochs())},
        epochs=3,
        model=lambda seed: phyvae.ShiftVAE(
            grid.patch_shape, hidden_dim_e=(8,), hidden_dim_d=(8,), seed=seed
        ),
        batch_size=9,
        progress=False,
    )
    for one in found.trainers.values():
        assert one.objective.physics.seen == [0, 1, 2]


def test_psi_of_a_training_follows_the_schedule():
    weights = [0.0, 1.0, 0.5]
    one, grid = trainer(Scheduled(phyvae.Relation(lambda *z: z[0] * 0 + 1), weights.__getitem__))
    one.objective.strength = 0.0
    one.fit(grid, epochs=3, progress=False)
    assert one.history.psi == pytest.approx(weights)


def test_a_loaded_trainer_has_the_weight_of_its_epoch(tmp_path):
    physics = Scheduled(EdgeLoss(), LinearBeta(0.0, 1.0, epochs=3))
    one, grid = trainer(physics)
    one.fit(grid, epochs=2, progress=False)
    one.save(tmp_path / "run.phyvae")
    loaded = phyvae.load_trainer(tmp_path / "run.phyvae")
    assert repr(loaded.objective) == repr(one.objective)
    maps = torch.rand(2, 9, 9)
    assert_close(loaded.objective.physics(maps), 0.5 * EdgeLoss()(maps))
    for either in (one, loaded):
        either.fit(grid, epochs=1, progress=False)
    assert list(loaded.history.psi) == list(one.history.psi)


def product(first, second):
    return first * second


def test_a_relation_is_loaded_with_its_function(tmp_path):
    one, grid = trainer(phyvae.Relation(product))
    one.fit(grid, epochs=1, progress=False)
    one.save(tmp_path / "run.phyvae")
    with pytest.raises(phyvae.CheckpointError, match="product, which is not a loss of phyvae's"):
        phyvae.load_trainer(tmp_path / "run.phyvae")
    loaded = phyvae.load_trainer(tmp_path / "run.phyvae", objective=one.objective)
    assert loaded.epochs_done == 1
