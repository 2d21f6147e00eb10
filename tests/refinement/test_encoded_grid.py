"""A grid and its model, batch by batch."""

import torch
from torch.testing import assert_close

from phyvae.refinement.encoded_grid import EncodedGrid
from white_noise import encoder, grid_of, image_of


def test_batches_hold_every_patch_once_and_in_order():
    grid = grid_of(image_of())
    rows, pixels = zip(
        *((rows, data.pixels) for rows, data in EncodedGrid(encoder(), grid, 7).batches()),
        strict=True,
    )
    assert [i for part in rows for i in range(part.start, part.stop)] == list(range(len(grid)))
    assert torch.equal(torch.cat(pixels), grid.gather(grid.indices))


def test_the_posterior_is_that_of_all_patches_in_whatever_batches():
    grid, model = grid_of(image_of()), encoder()
    expected = model.posterior(grid.data(grid.indices, model.like))
    for size in (7, 256):
        found = EncodedGrid(model, grid, size).posterior()
        assert_close(found.mean, expected.mean.detach())
        assert_close(found.std, expected.std.detach())
        assert not found.mean.requires_grad


def test_the_prior_of_plain_latents_is_the_standard_normal():
    grid, model = grid_of(image_of()), encoder()
    prior = EncodedGrid(model, grid, 50).prior()
    assert_close(prior.mean, torch.zeros(len(grid), 4))
    assert_close(prior.std, torch.ones(len(grid), 4))
