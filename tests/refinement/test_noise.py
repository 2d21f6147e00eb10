"""Simulated noise: random signs, the same for a pixel in all patches that share it."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from phyvae import PatchGrid
from phyvae.refinement.encoded_grid import EncodedGrid
from phyvae.refinement.noise import patch_signs, random_signs, resampled_images
from white_noise import SIZE, encoder, grid_of, image_of


@pytest.fixture(scope="module")
def data():
    return EncodedGrid(encoder(), grid_of(image_of()), 20)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_signs_are_plus_and_minus_one_alike():
    signs = random_signs((200, 50), generator()).float()
    assert_close(signs.abs(), torch.ones(200, 50))
    assert abs(float(signs.mean())) < 0.03


def test_a_pixel_has_one_sign_in_all_patches(data):
    signs = patch_signs(data, generator())
    image = random_signs(data.grid.image.shape, generator())
    everywhere = slice(0, data.grid.count)
    patches = data.grid.of(image).patches.reshape(data.grid.count, -1)
    assert_close(signs(everywhere), patches.to(signs(everywhere)))
    assert torch.equal(signs(slice(3, 9)), signs(everywhere)[3:9])


class TestResampledImages:
    @torch.no_grad()
    def test_differ_from_the_reconstruction_as_the_image_does(self, data):
        latents, image = data.posterior().mean, data.grid.image
        one, two = resampled_images(data, latents, 2, generator())
        flipped = (one != image) & ((one - image).abs() > 1e-6)
        assert 0.4 < float(flipped.double().mean()) < 0.6
        assert not torch.equal(one, two)
        # Two images of opposite sign have the reconstruction as their mean.
        clean = (one + image)[flipped] / 2
        assert float(clean.std()) < 0.6 * float(image.std())

    @torch.no_grad()
    def test_reconstruct_a_pixel_as_the_mean_over_patches_that_cover_the_image(self, data):
        latents = data.posterior().mean
        means = data.model.pixel_means(latents, data.grid.data(data.grid.indices, latents))
        means = means.double().numpy().reshape(*data.grid.shape, SIZE, SIZE)
        total, count = np.zeros((44, 44)), np.zeros((44, 44))
        cells = list(np.ndindex(*data.grid.shape))
        windows = {(y, x): np.s_[4 * y : 4 * y + SIZE, 4 * x : 4 * x + SIZE] for y, x in cells}
        apart = [(y, x) for y, x in cells if y % 3 == 0 and x % 3 == 0]
        for cell in apart:
            count[windows[cell]] += 1
        rest = [cell for cell in cells if (count[windows[cell]] == 0).any()]
        for cell in [*apart, *rest]:
            total[windows[cell]] += means[cell]
        for cell in rest:
            count[windows[cell]] += 1
        assert (count > 0).all()
        assert len(apart) + len(rest) < 0.6 * len(cells)
        images = torch.stack(list(resampled_images(data, latents, 40, generator()))).double()
        middle = (images.amax(0) + images.amin(0)) / 2
        assert_close(middle.numpy(), total / count, rtol=0, atol=1e-5)

    @torch.no_grad()
    def test_keep_pixels_outside_all_patches(self):
        grid = PatchGrid(image_of(side=46), size=SIZE, step=8, percentiles=None)
        data = EncodedGrid(encoder(), grid, 20)
        (found,) = resampled_images(data, data.posterior().mean, 1, generator())
        assert torch.equal(found[44:], grid.image[44:])
        assert not torch.equal(found[:44], grid.image[:44])
