"""A layout turns a row of values per patch into maps and back, and evaluates losses on them."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from phyvae import EdgeLoss, PatchGrid, SiteGraph
from phyvae.patches.layout import Layout
from phyvae.patches.map_pixel import MapPixel

SITES = np.random.default_rng(0).uniform(5, 80, (40, 2))
IMAGE = np.random.default_rng(0).random((90, 90))
CELLS = torch.tensor([7, 0, 3, 5])
LAYOUTS = {
    "raster": Layout((3, 4)),
    "holes": Layout((2, 4), CELLS),
    "graph": Layout((1, 40), graph=SiteGraph.delaunay(SITES)),
}


def values_of(layout):
    count = layout.shape[0] * layout.shape[1] if layout.cells is None else len(layout.cells)
    return torch.rand(count, 2)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
class TestEveryLayout:
    def test_maps_and_values_are_inverse(self, layout):
        values = values_of(layout)
        maps = layout.maps(values)
        assert maps.shape == (2, *layout.shape)
        assert_close(layout.values(maps), values)

    def test_shown_maps_are_nan_in_empty_cells_alone(self, layout):
        values = values_of(layout)
        shown, mask = layout.shown(values), layout.mask
        filled = torch.ones(layout.shape, dtype=torch.bool) if mask is None else mask
        assert torch.equal(shown.isfinite(), filled.expand_as(shown))
        assert_close(layout.values(shown), values)

    def test_moving_keeps_everything(self, layout):
        values, moved = values_of(layout), layout.to(torch.device("cpu"))
        assert moved.shape == layout.shape
        assert (moved.graph is None) == (layout.graph is None)
        assert_close(moved.maps(values), layout.maps(values))


class TestItsMask:
    def test_a_value_lies_in_the_cell_of_its_patch_and_empty_cells_are_zero(self):
        layout = LAYOUTS["holes"]
        maps = layout.maps(torch.tensor([[1.0], [2.0], [3.0], [4.0]]))
        assert maps.tolist() == [[[2, 0, 0, 3], [0, 4, 0, 1]]]
        assert layout.mask.tolist() == [[True, False, False, True], [False, True, False, True]]

    def test_full_rectangles_have_none(self):
        assert LAYOUTS["raster"].mask is None
        assert LAYOUTS["graph"].mask is None


class TestOfAGrid:
    def test_it_is_that_of_all_patches(self):
        raster = PatchGrid(IMAGE, 8, 8)
        assert Layout.of(raster) == Layout(raster.shape, pixel=MapPixel(((8, 0), (0, 8))))
        lattice = np.stack(np.meshgrid(*[np.arange(5, 85, 8)] * 2, indexing="ij"), -1)
        holes = PatchGrid.at(IMAGE, np.delete(lattice.reshape(-1, 2), 14, axis=0), 6)
        assert_close(Layout.of(holes).mask, holes.mask)
        assert_close(Layout.of(holes).cells, holes.indices)
        scattered = PatchGrid.at(IMAGE, SITES, 8, lattice=False)
        assert Layout.of(scattered).graph is scattered.graph
        assert Layout.of(scattered).shape == (1, 40)


class TestLosses:
    def test_each_kind_is_evaluated_where_its_patches_are(self):
        loss = EdgeLoss()
        for layout in (LAYOUTS["raster"], Layout((6, 7), torch.randperm(42)[:30])):
            values = values_of(layout)
            expected = loss(layout.maps(values), layout.mask)
            assert_close(layout.evaluate(loss, values), expected)
        values = values_of(LAYOUTS["graph"])
        expected = loss.on_graph(values.T, LAYOUTS["graph"].graph)
        assert_close(LAYOUTS["graph"].evaluate(loss, values), expected)

    def test_a_function_of_maps_takes_no_mask_where_all_cells_are_filled(self):
        values = values_of(LAYOUTS["raster"])
        assert LAYOUTS["raster"].evaluate(lambda maps: maps.mean(), values) == values.mean()

    def test_but_is_refused_on_a_graph(self):
        with pytest.raises(ValueError, match=r"function of a raster.*method on_graph"):
            LAYOUTS["graph"].evaluate(lambda maps: maps.mean(), values_of(LAYOUTS["graph"]))


class TestAsPublished:
    def test_a_batch_is_a_square(self):
        assert Layout.square(25) == Layout((5, 5))
        with pytest.raises(ValueError, match=r"but 24 patches fill none; choose batch_size"):
            Layout.square(24)

    def test_it_needs_a_raster(self):
        values = values_of(LAYOUTS["holes"])
        assert_close(LAYOUTS["holes"].raster(values), LAYOUTS["holes"].maps(values))
        with pytest.raises(ValueError, match='no lattice; use coupling="balanced"'):
            LAYOUTS["graph"].raster(values_of(LAYOUTS["graph"]))
