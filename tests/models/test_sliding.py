"""The encoder's first layer as a correlation, against that of gathered patches."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from phyvae import PatchGrid, ShiftVAE
from phyvae.models import patch_encoder, sliding

IMAGE = np.random.default_rng(0).random((170, 190))
# Size, step, and how much of the image: one transform or several, a single row, column or patch.
GRIDS = {
    "square": (16, 1, (170, 190)),
    "odd": (17, 1, (170, 190)),
    "tall": ((31, 12), 1, (170, 150)),
    "wide": ((9, 40), 1, (60, 190)),
    "step 2": (24, 2, (170, 190)),
    "step 3": (20, 3, (170, 190)),
    "steps differ": ((20, 24), (1, 3), (170, 190)),
    "steps beyond the patch": (8, (11, 9), (170, 190)),
    "one transform": (24, 1, (60, 70)),
    "one row": (24, 1, (24, 190)),
    "one column": (24, 1, (170, 24)),
    "one patch": (24, 1, (24, 24)),
}


def grid_of(name):
    size, step, (height, width) = GRIDS[name]
    return PatchGrid(IMAGE[:height, :width], size, step)


def always(monkeypatch, answer):
    monkeypatch.setattr(patch_encoder, "pays", lambda grid: answer)


def all_maps(model, grid, **options):
    looks = (model.latent_maps, model.latent_stds, model.shifts)
    return torch.cat([look(grid, progress=False, **options) for look in looks])


@pytest.mark.parametrize("grid", [grid_of(name) for name in GRIDS], ids=list(GRIDS))
class TestEveryGrid:
    def test_the_first_layer_is_that_of_the_patches(self, grid):
        layer = nn.Linear(int(np.prod(grid.patch_shape)), 6).double()
        with torch.no_grad():
            parts = list(sliding.first_layer(layer, grid, 1000))
            index, output = (torch.cat(part) for part in zip(*parts, strict=True))
            expected = layer(grid.gather(index).flatten(1).double())
        assert_close(output, expected, rtol=0, atol=1e-10)
        assert index.sort().values.tolist() == list(range(len(grid)))
        assert max(len(part) for part, _ in parts) <= 1000

    @pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
    def test_the_maps_are_those_of_the_patches(self, grid, dtype, atol, monkeypatch):
        model = ShiftVAE(grid.patch_shape, hidden_dim_e=(10, 7), activation="gelu").to(dtype)
        always(monkeypatch, False)
        expected = all_maps(model, grid)
        always(monkeypatch, True)
        maps = all_maps(model, grid)
        assert maps.dtype == dtype
        assert_close(maps, expected, rtol=0, atol=atol)


class TestLaws:
    def test_shifting_the_image_shifts_the_map(self):
        model = ShiftVAE((24, 24))
        whole = model.latent_maps(PatchGrid(IMAGE, 24, 1, percentiles=None))
        part = PatchGrid(IMAGE[7:, 12:], 24, 1, percentiles=None)
        assert sliding.pays(part)
        assert_close(model.latent_maps(part), whole[:, 7:, 12:], rtol=0, atol=1e-5)

    def test_an_offset_of_the_image_costs_no_more_accuracy_than_in_the_patches(self):
        grid = PatchGrid(IMAGE + 100, 24, 1, percentiles=None)
        layer = nn.Linear(576, 4)
        with torch.no_grad():
            index, output = next(iter(sliding.first_layer(layer, grid, 5000)))
            patches = grid.gather(index).flatten(1)
            exact = nn.functional.linear(
                patches.double(), layer.weight.double(), layer.bias.double()
            )
            assert (output - exact).abs().max() < 2 * (layer(patches) - exact).abs().max()

    @pytest.mark.parametrize("batch_size", [1000, 10**6])
    def test_the_batch_size_does_not_matter(self, batch_size):
        grid, model = PatchGrid(IMAGE, 24, 1), ShiftVAE((24, 24))
        assert_close(all_maps(model, grid, batch_size=batch_size), all_maps(model, grid))

    def test_nothing_is_recorded_for_a_gradient(self):
        assert not ShiftVAE((24, 24)).latent_maps(PatchGrid(IMAGE, 24, 1)).requires_grad


class TestTheChoice:
    @pytest.mark.parametrize(
        ("size", "step", "expected"),
        [(24, 1, True), ((20, 60), (1, 2), True), (8, 1, False), (24, 12, False), (170, 1, False)],
    )
    def test_it_pays_where_patches_overlap_much(self, size, step, expected):
        assert sliding.pays(PatchGrid(IMAGE, size, step)) is expected

    def test_spectra_are_gathered(self):
        grid = PatchGrid.from_spectra(np.random.default_rng(0).random((20, 20, 40)))
        assert not sliding.pays(grid)
        model = ShiftVAE((40,))
        mean, _ = model.encode(grid.patches.reshape(-1, 40))
        assert_close(model.latent_maps(grid).flatten(1).T, mean[:, model.content])
