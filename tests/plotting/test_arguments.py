import numpy as np
import pytest
import torch

from phyvae import PatchGrid, Scan
from phyvae.plotting.arguments import (
    as_channels,
    as_domains,
    as_image,
    as_latents,
    as_width,
    check_names,
    extent_of,
    frame_of,
    in_unit,
    sides_of,
)

GRID = PatchGrid(np.random.default_rng(0).random((40, 30)), size=10, step=5)


def test_an_extent_ends_half_a_step_from_the_outer_centres():
    left, right, bottom, top = extent_of(GRID.shape, GRID)
    centers = GRID.centers
    assert (top, bottom) == (centers[0, 0, 0] - 2.5, centers[-1, 0, 0] + 2.5)
    assert (left, right) == (centers[0, 0, 1] - 2.5, centers[0, -1, 1] + 2.5)


def test_without_a_grid_cells_are_one_wide():
    assert extent_of((3, 4)) == (-0.5, 3.5, 2.5, -0.5)


def test_a_unit_scales_the_extent():
    assert in_unit((0.0, 1.0, 2.0, 3.0), 0.5, "nm") == (0.0, 0.5, 1.0, 1.5)
    assert in_unit((0.0, 1.0, 2.0, 3.0), (10.0, 0.5), "nm") == (0.0, 0.5, 20.0, 30.0)
    assert sides_of(None).tolist() == [1, 1]
    assert frame_of((3, 4), None, None, "px")[1] == "map px"


def test_arrays_keep_their_values():
    maps = torch.rand(2, 3, 4)
    np.testing.assert_array_equal(as_channels(maps), maps.numpy())
    np.testing.assert_array_equal(as_image(GRID), GRID.image.double().numpy())
    scan = Scan(maps[0].numpy())
    assert as_image(scan) is scan.image
    assert as_domains(np.zeros((3, 4), np.uint8), (3, 4)).dtype.kind == "i"
    assert as_latents((0, 1), 1) == [0]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: as_channels(np.zeros((3, 4))), r"maps has shape \(3, 4\)"),
        (lambda: as_channels(np.full((1, 3, 4), np.nan)), "no finite value in channel 0"),
        (lambda: as_domains(np.zeros((3, 4)), (3, 4)), "must be integers of shape"),
        (lambda: as_domains(np.full((3, 4), -1), (3, 4)), "labels are negative in every cell"),
        (
            lambda: as_domains(np.full((3, 4), 2**63, np.uint64), (3, 4)),
            "labels go up to 9223372036854775808, .* renumber them",
        ),
        (lambda: as_image(np.zeros(4)), r"image has shape \(4,\)"),
        (lambda: as_latents((0, 0), 2), r"channels=\(0, 0\)"),
        (lambda: as_width(101), "width=101 inches"),
        (lambda: check_names(["a"], 2), "must be a list of 2"),
        (lambda: extent_of((1, 1), GRID), "grid has shape"),
        (lambda: in_unit((0.0, 1.0, 1.0, 0.0), None, "nm"), "go together"),
        (lambda: sides_of((0.1, 0.2, 0.3)), "one number, or height and width"),
        (lambda: frame_of((3, 4), None, 0.1, "nm"), "pass grid, too"),
    ],
)
def test_refusals_name_the_argument(call, named):
    with pytest.raises(ValueError, match=named):
        call()
