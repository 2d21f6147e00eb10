"""Means over the windows around a patch, with the maps of moved images as the oracle."""

import itertools

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from phyvae.patches.known import Patches
from phyvae.refinement.encoded_grid import EncodedGrid
from phyvae.refinement.window_means import window_means
from white_noise import AROUND, LINE, SIZE, STEP, alone, encoder, grid_of, image_of


@pytest.fixture(scope="module")
def model():
    return encoder()


class TestLaws:
    def test_content_is_the_mean_of_the_maps_of_the_image_moved(self, model):
        """Grids that begin some pixels further on, of images cut there, are the oracle."""
        image, inner = image_of(), slice(1, -1)
        found = alone(model, grid_of(image), around=AROUND).maps[:, inner, inner]
        moved = [
            model.latent_maps(grid_of(image[STEP + dy : 40 + dy, STEP + dx : 40 + dx]))
            for dy, dx in itertools.product(LINE, LINE)
        ]
        assert_close(found, torch.stack(moved).mean(0), rtol=0, atol=1e-5)

    def test_at_the_border_the_nearest_window_takes_the_place(self, model):
        image = image_of().astype(np.float32)
        found = alone(model, grid_of(image), around=AROUND).maps[:, 0, 0]
        corners = itertools.product(*[[max(0, d) for d in LINE]] * 2)
        windows = torch.stack(
            [torch.from_numpy(image[y : y + SIZE, x : x + SIZE]) for y, x in corners]
        )
        with torch.no_grad():
            means = model.posterior(Patches(windows)).mean[:, model.content]
        assert_close(found, means.mean(0), rtol=0, atol=1e-5)

    def test_the_shift_is_that_of_the_patch_itself(self, model):
        grid = grid_of(image_of())
        found = alone(model, grid, around=AROUND)
        assert_close(found.shifts, model.shifts(grid), rtol=0, atol=1e-5)
        assert not torch.allclose(found.maps, model.latent_maps(grid), atol=1e-3)

    def test_a_constant_image_has_the_map_of_one_patch(self, model):
        image = np.full((44, 44), 0.3)
        image[0, 0] += 1e-6  # an image that is all one value is refused
        grid = grid_of(image)
        assert_close(
            alone(model, grid, around=AROUND).maps, model.latent_maps(grid), rtol=0, atol=1e-4
        )

    def test_an_image_turned_by_half_has_the_map_turned_by_half(self, model):
        """Of an encoder of patches turned by half: windows on both sides count alike."""
        image = image_of()
        turned = alone(model, grid_of(image[::-1, ::-1].copy()), around=AROUND)
        turning = encoder()
        with torch.no_grad():
            first = turning.encoder_z.fc_layers[0].weight
            first.copy_(first.flip(1))
        found = alone(turning, grid_of(image), around=AROUND)
        assert_close(turned.maps.flip(1, 2), found.maps, rtol=0, atol=1e-5)

    @pytest.mark.parametrize("around", [1, AROUND])
    def test_batches_change_nothing(self, model, around):
        grid = grid_of(image_of())
        one, many = (
            window_means(EncodedGrid(model, grid, n), grid.image, around) for n in (7, 256)
        )
        assert_close(one, many, rtol=0, atol=1e-5)

    def test_the_second_means_are_those_of_the_patch_alone(self, model):
        grid = grid_of(image_of())
        data = EncodedGrid(model, grid, 256)
        _, own = window_means(data, grid.image, AROUND)
        assert_close(own, data.posterior().mean, rtol=0, atol=1e-5)
