"""Losses on steps that are not square measure in nm, and on square ones nothing changes."""

import copy
import inspect

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

import phyvae
from bad_inputs import LOSSES
from phyvae.patches.layout import Layout
from phyvae.patches.map_pixel import MapPixel

OF_LENGTHS = [
    phyvae.EdgeLoss(),
    phyvae.EdgeLoss(sigma_spatial=1.0),
    phyvae.TotalVariation(),
    phyvae.InterfaceEnergy(ratio=1.0),
    phyvae.DirichletEnergy(),
    phyvae.GinzburgLandau(),
    phyvae.GinzburgLandau(60.0, pixel_size=2.0),
    phyvae.Curvature(),
    phyvae.Curvature(20.0, pixel_size=1.0),
    phyvae.Autocorrelation(4.0),
    phyvae.PeriodicOrder(ring=0.1, tolerance=0.05),
    phyvae.FourierLoss(2.0),
    2.0 * phyvae.OnChannels(phyvae.TotalVariation(), [0]) + phyvae.Maximize(phyvae.EdgeLoss()),
    phyvae.Scheduled(phyvae.DirichletEnergy(), 0.5),
]


def psi(loss, field, step, pixel_size=None):
    """Ψ of a field, a function of nm, on a scan of 384 x 384 px, by the objective."""
    height, width = pixel_size or (1.0, 1.0)
    scan = phyvae.Scan(np.random.default_rng(0).random((384, 384)), pixel_size=pixel_size)
    grid = phyvae.PatchGrid(scan, 12, step)
    y, x = np.moveaxis(grid.centers, -1, 0)
    maps = torch.from_numpy(field(y * height, x * width))[None]
    layout = Layout.of(grid)
    return float(phyvae.PhysicsObjective(loss).psi(layout.values(maps), layout))


def disc(y, x):
    """A disc with a soft rim, off the centre."""
    return np.tanh((120 - np.hypot(y - 200, x - 180)) / 24)


def ellipse(y, x):
    return np.tanh((120 - np.hypot((y - 190) / 1.5, x - 190)) / 24)


@pytest.mark.parametrize("loss", OF_LENGTHS, ids=repr)
class TestLossesOfLengths:
    def test_a_circle_costs_the_same_at_steps_6_12_and_12_6(self, loss):
        flat, upright = psi(loss, disc, (6, 12)), psi(loss, disc, (12, 6))
        assert flat == pytest.approx(upright, rel=0.05)

    def test_and_so_does_an_ellipse_and_the_same_one_turned(self, loss):
        turned = psi(loss, lambda y, x: ellipse(x, y), (6, 12))
        assert psi(loss, ellipse, (6, 12)) == pytest.approx(turned, rel=0.1)

    def test_steps_are_those_of_nm(self, loss):
        # Pixels twice as high as wide, and steps the other way round: map pixels are square.
        nm = psi(loss, lambda y, x: disc(y / 2, x), (6, 12), (2.0, 1.0))
        turned = psi(loss, lambda y, x: disc(x / 2, y), (12, 6), (1.0, 2.0))
        assert nm == pytest.approx(turned, rel=1e-4)


def test_a_pixel_is_as_large_as_the_grid_has_it():
    wide = [phyvae.GinzburgLandau(w, pixel_size=p) for w, p in ((30.0, 2.0), (30.0, (2.0, 2.0)))]
    for loss in wide:
        assert psi(loss, disc, 8) == psi(phyvae.GinzburgLandau(30 / 16), disc, 8)
    with pytest.raises(ValueError, match=r"width=20\.0 is 0\.\d+ map pixels"):
        psi(phyvae.GinzburgLandau(20.0, pixel_size=2.0), disc, (6, 12))
    bent = psi(phyvae.Curvature(pixel_size=0.5), disc, 6)
    assert bent == pytest.approx(1 / 60, rel=0.1)  # a circle of 120 px, 60 nm


def test_walls_along_rows_and_columns_cost_their_length():
    losses = (phyvae.EdgeLoss(), phyvae.TotalVariation(), phyvae.InterfaceEnergy(ratio=1.0))
    walls = {"row": torch.zeros(1, 32, 16), "column": torch.zeros(1, 32, 16)}
    walls["row"][:, 16:], walls["column"][:, :, 8:] = 1, 1
    for loss in losses:
        by_row, by_column = (
            float(loss(wall, None, MapPixel(((6.0, 0.0), (0.0, 12.0))))) for wall in walls.values()
        )
        assert by_row == pytest.approx(by_column)


def test_an_easy_direction_is_one_of_the_image():
    loss = phyvae.InterfaceEnergy(ratio=2.0, angle=45.0)
    along = [psi(loss, lambda y, x: np.tanh((y + x - 384) / 40), step) for step in (8, (6, 12))]
    across = [psi(loss, lambda y, x: np.tanh((y - x) / 40), step) for step in (8, (6, 12))]
    for easy, hard in zip(along, across, strict=True):
        assert hard / easy == pytest.approx(2, rel=0.05)


def test_a_rotation_is_one_of_the_image():
    source = torch.rand(2, 9, 9)
    fields = {"hedgehog": 2.0, "vortex": 0.0}
    y, x = torch.meshgrid(6 * torch.arange(-9.0, 10), 12 * torch.arange(-5.0, 6), indexing="ij")
    for name, maps in (("hedgehog", torch.stack([y, x])), ("vortex", torch.stack([x, -y]))):
        found = phyvae.BoundCharge()(maps, None, MapPixel(((6.0, 0.0), (0.0, 12.0))))
        assert float(found) == pytest.approx(fields[name], abs=1e-5)
    with pytest.raises(ValueError, match=r"pixels are 0\.5 times as high as wide.*'half-turn'"):
        phyvae.MapSymmetry("quarter-turn")(source, None, MapPixel(((6.0, 0.0), (0.0, 12.0))))
    phyvae.MapSymmetry("half-turn")(source, None, MapPixel(((6.0, 0.0), (0.0, 12.0))))


@pytest.mark.parametrize("loss", LOSSES.values(), ids=repr)
def test_on_square_steps_every_loss_is_what_it_was_to_the_bit(loss):
    maps = torch.rand(2, 12, 12, generator=torch.Generator().manual_seed(0))
    mask = torch.rand(12, 12, generator=torch.Generator().manual_seed(1)) > 0.1
    if "pixel_size" in repr(loss):
        pytest.skip("its lengths are in nm")
    for step in (1.0, 7.0, 12.7):
        pixel = MapPixel(((step, 0.0), (0.0, step)), (0.3, 0.3))
        for there in (None, mask):
            assert torch.equal(loss(maps, there, pixel), loss(maps, there))


class Knows(phyvae.PhysicsLoss):
    """A user's loss that measures its steps."""

    def forward(self, maps, mask=None, pixel=MapPixel()):  # noqa: B008
        height, width = pixel.edges
        z = phyvae.standardise(maps, mask)
        return (z.diff(dim=1) / height).square().mean() + (z.diff(dim=2) / width).square().mean()


class KnowsNothing(phyvae.PhysicsLoss):
    def forward(self, maps):
        return phyvae.standardise(maps).diff(dim=1).square().mean()


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 14), st.integers(2, 14))
def test_a_loss_of_a_users_own_may_know_of_steps_or_not(down, across):
    assert psi(Knows(), disc, (down, across)) == pytest.approx(
        2 * psi(phyvae.DirichletEnergy(), disc, (down, across)), rel=1e-5
    )
    grid = phyvae.PatchGrid(np.random.default_rng(0).random((90, 90)), 12, (down, across))
    layout = Layout.of(grid)
    maps = torch.rand(1, *grid.shape)
    for loss in (KnowsNothing(), 2 * KnowsNothing() + phyvae.OnChannels(KnowsNothing(), [0])):
        objective = phyvae.PhysicsObjective(loss)
        assert_close(objective.psi(layout.values(maps), layout), loss(maps))


def test_training_sees_the_steps_of_its_grid():
    seen = []

    class Watching(phyvae.PhysicsLoss):
        def forward(self, maps, mask=None, pixel=MapPixel()):  # noqa: B008
            seen.append(pixel)
            return phyvae.standardise(maps, mask).square().mean()

    image = np.random.default_rng(0).random((60, 66))
    grid = phyvae.PatchGrid(phyvae.Scan(image, pixel_size=(0.1, 0.2)), 12, (6, 8))
    model = phyvae.ShiftVAE(grid.patch_shape, seed=0)
    trainer = phyvae.PhysicsTrainer(
        model, phyvae.PhysicsObjective(phyvae.Scheduled(Watching(), 1.0)), batch_size=16
    )
    trainer.fit(grid, 1, progress=False)
    trainer.evaluate(grid)
    phyvae.refine(
        model,
        grid,
        objective=phyvae.PhysicsObjective(Watching()),
        iterations=1,
        samples=2,
        progress=False,
    )
    assert set(seen) == {MapPixel(((6, 0), (0, 8)), (0.1, 0.2))}


def test_losses_still_copy_and_their_settings_are_those_given():
    loss = phyvae.GinzburgLandau(3.0, pixel_size=(1.0, 2.0))
    assert copy.deepcopy(loss).pixel_size == (1.0, 2.0)
    assert "pixel" in inspect.signature(loss.forward).parameters
