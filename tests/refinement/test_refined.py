"""The result of a refinement: columns of the latents as maps."""

import torch
from torch.testing import assert_close

from phyvae.models.posterior import Posterior
from phyvae.patches.layout import Layout
from phyvae.refinement.refined import on_grid
from white_noise import encoder, grid_of, image_of


def test_columns_become_maps_and_shifts():
    grid, model = grid_of(image_of()), encoder()
    count = len(grid)
    latents = Posterior(torch.arange(4.0 * count).reshape(count, 4), torch.rand(count, 4))
    history = torch.arange(8.0).reshape(4, 2)
    found = on_grid(model, Layout.of(grid), latents, torch.arange(4.0), 0.5, history)
    rows, cols = grid.shape
    assert_close(found.maps[0], latents.mean[:, 2].reshape(rows, cols))
    assert_close(found.stds[1], latents.std[:, 3].reshape(rows, cols))
    px = latents.mean[:, :2] * model.shift_scale
    assert_close(found.shifts.flatten(1).T, px)
    assert_close(found.signal, torch.tensor([2.0, 3.0]))
    assert_close(torch.stack([found.energy, found.reconstruction]), history[:2])
    assert_close(torch.stack([found.prior, found.psi]), history[2:])
    assert "energy 0 to 1 nats per patch" in repr(found)
