"""Walls lie where patches show half of either domain, whatever the latents' scale."""

import numpy as np
import pytest
import torch

from phyvae import PatchGrid, ShiftVAE
from phyvae.pipeline.placing import placed

SIZE, STEP = 12, 3
ROWS = (60 - SIZE) // STEP + 1
STRIPES = np.sin(np.arange(SIZE) * np.pi / 3)


class Mixing(ShiftVAE):
    """A decoder known in advance: content z is the share of the rows that belong to the second."""

    contrast = 1.0

    def decode(self, z, *, shift=None, batch_size=256):
        upper = np.outer(np.ones(SIZE), STRIPES)
        lower = self.contrast * upper.T + 3
        second = torch.arange(SIZE) >= SIZE * (1 - self.share(z[:, 0, None]))
        patches = torch.where(second[..., None], torch.tensor(lower), torch.tensor(upper))
        return patches.to(z) if self.different else torch.tensor(upper) * (1 + z[:, :1, None])

    different = True

    def share(self, z):
        """A latent that is no linear measure of it: half is at 0.2."""
        return z ** (np.log(0.5) / np.log(0.2))


@pytest.fixture
def grid():
    return PatchGrid(np.random.default_rng(0).random((60, 60)), SIZE, STEP)


@pytest.fixture
def model():
    return Mixing((SIZE, SIZE), 2, seed=0)


def maps_of(model, wall):
    """Return maps of a level wall, and the share of each row of patches below it."""
    top = np.arange(ROWS) * STEP
    share = np.clip((top + SIZE - wall) / SIZE, 0, 1)
    latent = share ** (np.log(0.2) / np.log(0.5))
    maps = np.repeat(np.stack([latent, 0 * latent])[..., None], ROWS, 2)
    return torch.tensor(maps, dtype=torch.float32), np.repeat(share[:, None], ROWS, 1)


@pytest.mark.parametrize("contrast", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("wall", [25, 31, 35])
def test_a_wall_lies_in_the_middle_whatever_the_latent_and_the_contrast(
    grid, model, contrast, wall
):
    model.contrast = contrast
    maps, share = maps_of(model, wall)
    labels = (maps[0] > 0.5).int().numpy()
    found = placed(labels, maps, np.ones(2), grid, model)
    clear = np.abs(share - 0.5) > 1.5 * STEP / SIZE
    assert (labels != (share > 0.5)).any()
    np.testing.assert_array_equal(found[clear], (share > 0.5)[clear])


def test_domains_that_differ_by_contrast_alone_keep_their_walls(grid, model):
    model.different = False
    maps, _ = maps_of(model, 31)
    labels = (maps[0] > 0.5).int().numpy()
    np.testing.assert_array_equal(placed(labels, maps, np.ones(2), grid, model), labels)


def test_cells_far_from_walls_and_without_a_patch_keep_their_label(grid, model):
    maps, _ = maps_of(model, 31)
    maps[0, 0, 0] = 1.0  # as in the other domain
    labels = (maps[0] > 0.5).int().numpy()
    labels[0, 0], labels[:, -1] = 0, -1
    maps[:, :, -1] = torch.nan
    found = placed(labels, maps, np.ones(2), grid, model)
    assert found[0, 0] == 0
    assert (found[:, -1] == -1).all()
    assert set(np.unique(found)) == {-1, 0, 1}


def test_channels_that_do_not_count_are_not_decoded(grid, model):
    maps, _ = maps_of(model, 31)
    labels = (maps[0] > 0.5).int().numpy()
    np.testing.assert_array_equal(placed(labels, maps, np.zeros(2), grid, model), labels)


def test_one_domain_and_spectra_are_left_alone(grid, model):
    one = np.zeros(grid.shape, int)
    assert placed(one, torch.zeros(2, *grid.shape), np.ones(2), grid, model) is one
    spectra = PatchGrid.from_spectra(np.random.default_rng(0).random((8, 8, 16)))
    two = np.arange(64).reshape(8, 8) // 32
    assert placed(two, torch.zeros(2, 8, 8), np.ones(2), spectra, model) is two
