"""Walls lie between domains and are as long as they are; grains are their small pieces."""

import inspect
from math import pi

import numpy as np
import pytest
import torch
from scipy.ndimage import label as scipy_label
from skimage.measure import perimeter_crofton

from phyvae import PatchGrid, SiteGraph
from phyvae.domains import walls
from phyvae.domains.walls import (
    boundaries,
    boundary_length,
    grains,
    wall_length_ratio,
    wall_lengths,
)


def disc(radius, size=61):
    y, x = np.mgrid[:size, :size] - size // 2
    return (np.hypot(y, x) < radius).astype(int)


def straight_wall(degrees, size=201):
    """Two domains parted by a straight wall, and its true length within the map."""
    # The wall misses the cells' corners, where rounding would decide.
    y, x = np.mgrid[:size, :size] - size // 2 + 0.013
    angle = np.deg2rad(degrees)
    domains = (x * np.sin(angle) - y * np.cos(angle) > 0.31).astype(int)
    return domains, size / max(abs(np.sin(angle)), abs(np.cos(angle)))


@pytest.fixture
def truth():
    return np.repeat([[0, 1, 2]], 4, axis=1).repeat(10, axis=0)


@pytest.fixture
def domains():
    """Two domains: a disc, off centre, in a matrix."""
    y, x = np.mgrid[:20, :26]
    return (np.hypot(y - 8, x - 10) < 6).astype(int)


class TestBoundaries:
    def test_both_sides_of_a_wall_are_marked_and_the_border_is_not(self):
        found = boundaries(np.repeat([[4, 4, 4, 0, 0, 0]], 3, axis=0))
        np.testing.assert_array_equal(found, np.repeat([[0, 0, 1, 1, 0, 0]], 3, axis=0))

    def test_names_of_the_labels_do_not_matter(self):
        labels = np.random.default_rng(0).integers(3, size=(9, 11))
        np.testing.assert_array_equal(boundaries(np.array([5, -3, 0])[labels]), boundaries(labels))

    def test_are_the_cells_whose_neighbour_has_another_label(self):
        labels = np.random.default_rng(0).integers(3, size=(9, 11))
        padded = np.pad(labels, 1, mode="edge")
        neighbours = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
        expected = np.any([labels != other for other in neighbours], axis=0)
        np.testing.assert_array_equal(boundaries(torch.tensor(labels)), expected)

    def test_one_domain_has_no_wall(self):
        assert not boundaries(np.ones((3, 4), dtype=int)).any()


class TestGrains:
    def test_number_small_islands_and_leave_domains_alone(self, domains):
        labels = domains.copy()
        labels[1, 1] = labels[17, 20:23] = 1
        labels[8, 10] = 0
        expected = np.zeros_like(labels)
        expected[1, 1], expected[8, 10], expected[17, 20:23] = 1, 2, 3
        np.testing.assert_array_equal(grains(labels, max_size=3), expected)
        assert grains(labels, max_size=2).max() == 2

    def test_cells_that_touch_at_a_corner_are_two_grains(self):
        assert grains([[1, 0, 0], [0, 1, 0], [0, 0, 0]], max_size=1).max() == 2

    def test_names_of_the_labels_do_not_matter(self):
        labels = np.random.default_rng(0).integers(3, size=(9, 11))
        renamed = np.array([7, 0, -3])[labels]
        np.testing.assert_array_equal(grains(renamed, 2), grains(labels, 2))

    def test_agree_with_scipy_label_by_label(self):
        labels = np.random.default_rng(0).integers(3, size=(20, 20))
        found, count = grains(labels, 4), 0
        for k in range(3):
            pieces, n = scipy_label(labels == k)
            for piece in range(1, n + 1):
                number = np.unique(found[pieces == piece])
                assert len(number) == 1
                assert (number[0] > 0) == ((pieces == piece).sum() <= 4)
                count += int(number[0] > 0)
        assert found.max() == count == len(np.unique(found)) - 1

    def test_a_map_without_islands_has_none(self, domains):
        assert grains(torch.tensor(domains), max_size=10).max() == 0

    @pytest.mark.parametrize(
        ("max_size", "error", "needed"),
        [
            (0, ValueError, "at least 1 cell"),
            (-2, ValueError, "at least 1 cell"),
            (1.5, TypeError, "an integer >= 1 cell"),
            (True, TypeError, "an integer >= 1 cell"),
        ],
    )
    def test_an_impossible_size_is_refused(self, domains, max_size, error, needed):
        # Unwrapped as users run it: the tests' type checker would speak first.
        with pytest.raises(error, match=f"max_size={max_size} must be {needed}"):
            inspect.unwrap(grains)(domains, max_size)


class TestBoundaryLength:
    @pytest.mark.parametrize("step", [(6, 6), (6, 12), (12, 6), (4, 9)])
    def test_a_circle_has_its_perimeter_whatever_the_form_of_a_cell(self, step):
        y, x = np.mgrid[:400, :400] - 200
        grid = PatchGrid(np.random.default_rng(0).random((400, 400)), 12, step)
        labels = grid.sample((y**2 + x**2 < 120**2).astype(int))
        for length in (
            boundary_length(labels, pixel_size=step),
            boundary_length(labels, grid=grid),
            boundary_length(labels, grid=grid, pixel_size=(0.5, 0.5)) / 0.5,
        ):
            assert length == pytest.approx(2 * pi * 120, rel=0.02)

    def test_sites_have_the_height_and_width_of_a_pixel(self):
        sites = np.random.default_rng(0).uniform(0, 100, (400, 2))
        labels = (sites[:, :1] > 50).astype(int).T
        stretched = SiteGraph.delaunay(sites * (1, 3))
        found = boundary_length(labels, graph=SiteGraph.delaunay(sites), pixel_size=(1, 3))
        assert found == pytest.approx(boundary_length(labels, graph=stretched))

    @pytest.mark.parametrize("radius", [10, 20, 28.5])
    def test_a_circle_has_its_circumference(self, radius):
        assert boundary_length(disc(radius)) == pytest.approx(2 * pi * radius, rel=0.05)

    @pytest.mark.parametrize("degrees", [0, 90])
    def test_a_wall_along_the_axes_is_five_per_cent_short_in_maps_of_any_size(self, degrees):
        for size in (1, 3, 48, 201):
            if size > 1:
                domains, length = straight_wall(degrees, size)
            else:
                domains, length = np.array([[0, 0, 1, 1]]), 1
            expected = length * pi / 8 * (1 + 2**0.5)
            assert boundary_length(domains) == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize("degrees", range(0, 180, 15))
    def test_a_straight_wall_has_its_length_within_six_per_cent(self, degrees):
        domains, length = straight_wall(degrees)
        assert boundary_length(domains) == pytest.approx(length, rel=0.06)

    def test_the_mean_over_all_directions_is_right(self):
        ratios = [
            np.divide(boundary_length(d), n) for d, n in map(straight_wall, range(1, 180, 2))
        ]
        assert np.mean(ratios) == pytest.approx(1, abs=0.005)

    @pytest.mark.parametrize("radius", [1, 4.2, 20])
    def test_agrees_with_scikit_image_on_a_disc_away_from_the_border(self, radius):
        domains = disc(radius)
        expected = perimeter_crofton(domains, directions=4)
        assert boundary_length(domains) == pytest.approx(expected, rel=1e-12)

    def test_scales_with_the_pixel(self):
        domains = disc(9)
        assert boundary_length(domains, pixel_size=0.25) == boundary_length(domains) / 4
        assert boundary_length(domains, pixel_size=8.0) == boundary_length(domains) * 8

    def test_walls_of_many_domains_add_up(self):
        one = disc(6, 31)
        two = np.concatenate([one, 3 * disc(8, 31)], axis=1)
        total = boundary_length(one) + boundary_length(disc(8, 31))
        assert boundary_length(two) == pytest.approx(total)

    def test_the_border_of_the_map_is_no_wall(self):
        assert boundary_length(np.ones((5, 7), dtype=int)) == 0
        assert boundary_length([[3]]) == 0

    @pytest.mark.parametrize("pixel_size", [0.0, -1.0, np.nan, np.inf])
    def test_an_impossible_pixel_size_is_refused(self, pixel_size):
        with pytest.raises(ValueError, match=f"pixel_size={pixel_size:g} must be > 0 and finite"):
            boundary_length(disc(3), pixel_size=pixel_size)

    @pytest.mark.parametrize("pixel_size", ["1 nm", True])
    def test_a_pixel_size_that_is_no_number_is_refused(self, pixel_size):
        # Unwrapped as users run it: the tests' type checker would speak first.
        with pytest.raises(TypeError, match=f"pixel_size={pixel_size!r} must be a number"):
            inspect.unwrap(boundary_length)(disc(3), pixel_size=pixel_size)

    def test_labels_of_other_axes_are_refused(self):
        with pytest.raises(ValueError, match=r"labels of shape \(4,\) must have the axes"):
            boundary_length([0, 1, 1, 0])


class TestWallLengthRatio:
    def test_spurious_islands_raise_it_and_merged_domains_lower_it(self, truth):
        islands = truth.copy()
        islands[5, 1] = 2
        assert wall_length_ratio(islands, truth) > 1
        assert wall_length_ratio(np.minimum(truth, 1), truth) == pytest.approx(0.5)
        assert wall_length_ratio(np.zeros_like(truth), truth) == 0

    def test_a_truth_without_a_wall_is_refused(self, truth):
        with pytest.raises(ValueError, match="truth is one domain without a wall"):
            wall_length_ratio(truth, np.zeros_like(truth))


def scattered(n=3000, size=200.0, seed=0):
    """Sites at random, no two closer than a third of their spacing, and their graph."""
    rng = np.random.default_rng(seed)
    sites = rng.uniform(0, size, (2 * n, 2))
    apart = [0]
    for k in range(1, len(sites)):
        if len(apart) == n:
            break
        if np.hypot(*(sites[apart] - sites[k]).T).min() > size / n**0.5 / 3:
            apart.append(k)
    return SiteGraph.delaunay(sites[apart])


@pytest.fixture(scope="module")
def glass():
    return scattered()


def raster_graph(shape):
    sites = np.argwhere(np.ones(shape))
    return SiteGraph.delaunay(3.0 * sites)


class TestOnSitesWithoutALattice:
    def test_walls_and_grains_of_a_square_raster_are_those_of_the_raster(self):
        labels = np.random.default_rng(0).integers(3, size=(9, 11))
        labels[2, 3] = labels[0, 7] = -1
        graph, row = raster_graph(labels.shape), labels.reshape(1, -1)
        np.testing.assert_array_equal(
            boundaries(row, graph=graph), boundaries(labels).reshape(1, -1)
        )
        np.testing.assert_array_equal(
            grains(row, 2, graph=graph), grains(labels, 2).reshape(1, -1)
        )

    def test_order_of_the_sites_does_not_matter(self, glass):
        labels = (glass.sites[:, 0] > 90).int().numpy()[None]
        labels[0, ::50] = 1 - labels[0, ::50]
        order = np.random.default_rng(0).permutation(len(glass))
        other = glass.subgraph(torch.from_numpy(order))
        same = boundaries(labels, graph=glass)[:, order]
        np.testing.assert_array_equal(boundaries(labels[:, order], graph=other), same)
        length = boundary_length(labels, graph=glass)
        assert boundary_length(labels[:, order], graph=other) == pytest.approx(length)
        small = grains(labels, 3, graph=glass)[:, order]
        again = grains(labels[:, order], 3, graph=other)
        np.testing.assert_array_equal(again > 0, small > 0)
        assert again.max() == small.max() > 50

    def test_straight_walls_have_their_length_on_average(self, glass):
        y, x = (glass.sites.numpy() - 100).T
        inner = np.maximum(abs(y), abs(x)) < 80
        ratios = []
        for degrees in range(0, 180, 5):
            angle = np.deg2rad(degrees)
            labels = np.where(inner, x * np.sin(angle) - y * np.cos(angle) > 0, -1)[None]
            length = 160 / max(abs(np.sin(angle)), abs(np.cos(angle))) - glass.spacing
            ratios.append(boundary_length(labels, graph=glass) / length)
        assert np.mean(ratios) == pytest.approx(1, abs=0.03)
        assert np.std(ratios) < 0.07

    def test_circles_have_their_circumference_on_average(self, glass):
        y, x = glass.sites.numpy().T
        ratios = []
        for center in np.random.default_rng(0).uniform(60, 140, (40, 2)):
            inside = np.hypot(y - center[0], x - center[1])[None] < 50
            length = boundary_length(inside, graph=glass, pixel_size=0.5)
            ratios.append(length / (pi * 50))
        assert np.mean(ratios) == pytest.approx(1, abs=0.03)
        assert max(np.abs(np.subtract(ratios, 1))) < 0.1

    def test_the_ratio_compares_walls_on_the_graph(self, glass):
        labels = (glass.sites[:, 0] > 90).int().numpy()[None]
        assert wall_length_ratio(labels, labels, graph=glass) == 1
        islands = labels.copy()
        islands[0, ::50] = 1 - islands[0, ::50]
        longer = boundary_length(islands, graph=glass) / boundary_length(labels, graph=glass)
        assert wall_length_ratio(islands, labels, graph=glass) == longer > 2

    def test_islands_of_one_site_are_grains(self, glass):
        labels = np.zeros((1, len(glass)), int)
        labels[0, [5, 700]] = 1
        found = grains(labels, 1, graph=glass)
        assert found[0, 5] == 1
        assert found[0, 700] == 2
        assert found.sum() == 3

    def test_a_wall_along_a_row_of_a_square_lattice_is_a_fifth_short(self):
        labels = np.repeat([[0, 1]], 5, axis=1).repeat(10, axis=0)
        rim = 9 / 10  # the sites on the rim have half a face there
        length = boundary_length(labels.reshape(1, -1), graph=raster_graph(labels.shape))
        assert length == pytest.approx(30 * rim * pi / 4)

    @pytest.mark.parametrize("measure", [boundaries, boundary_length])
    def test_labels_of_other_sites_are_refused(self, glass, measure):
        with pytest.raises(ValueError, match=r"shape \(4, 5\) must be those of the graph's"):
            measure(np.zeros((4, 5), int), graph=glass)

    def test_what_is_no_graph_is_refused(self, monkeypatch):
        # Unwrapped as users run it: the tests' type checker would speak first.
        plain = inspect.unwrap(walls.neighbours_of)
        monkeypatch.setattr(walls, "neighbours_of", plain)
        with pytest.raises(TypeError, match=r"must be a SiteGraph: grid\.graph"):
            inspect.unwrap(boundaries)(np.zeros((1, 5), int), graph=[(0, 1)])


class TestRefusals:
    @pytest.mark.parametrize("function", [boundaries, lambda labels: grains(labels, 3)])
    def test_labels_that_are_none_are_refused(self, function):
        with pytest.raises(ValueError, match="labels of dtype float64 must be whole"):
            function(np.full((3, 3), 0.5))
        with pytest.raises(ValueError, match=r"labels of shape \(9,\)"):
            function(np.zeros(9, dtype=int))
        with pytest.raises(ValueError, match=r"labels of shape \(0, 3\)"):
            function(np.zeros((0, 3), dtype=int))


class TestWallLengths:
    """Of a grid: by the places of the patches, in the unit of the pixels."""

    @pytest.mark.parametrize("degrees", [0, 20, 45, 70, 90])
    def test_steps_and_pixels_of_two_sizes_count(self, degrees):
        grid = PatchGrid(np.random.default_rng(0).random((600, 600)), 10, step=(4, 8))
        scale, angle = np.array([0.02, 0.01]), np.deg2rad(degrees)
        y, x = np.moveaxis(grid.centers * scale - (6.003, 3.001), -1, 0)
        lengths = wall_lengths(grid, (np.hypot(y, x) < 2.5).astype(int), scale)
        assert lengths[0, 1] == pytest.approx(2 * pi * 2.5, rel=0.03)
        line = (y * np.cos(angle) > x * np.sin(angle)).astype(int)
        length = min(6 / max(np.cos(angle), 1e-9), 12 / max(np.sin(angle), 1e-9))
        assert wall_lengths(grid, line, scale)[0, 1] == pytest.approx(length, rel=0.12)

    def test_oblique_rows_of_sites_count(self):
        sites = np.indices((20, 20)).reshape(2, -1).T @ [[12.0, 4.0], [0.0, 13.0]] + 20
        grid = PatchGrid.at(np.random.default_rng(0).random((290, 400)), sites, size=10)
        distance = np.hypot(*np.moveaxis(grid.sites - (130.5, 180.2), -1, 0))
        lengths = wall_lengths(grid, (distance < 70).astype(int), np.ones(2))
        assert lengths[0, 1] == pytest.approx(2 * pi * 70, rel=0.05)

    def test_sites_without_lattice_count(self):
        rng = np.random.default_rng(0)
        grid = PatchGrid.at(
            rng.random((300, 300)), rng.uniform(15, 285, (900, 2)), 10, lattice=False
        )
        labels = (grid.sites[..., 0] > 150).astype(int)
        lengths = wall_lengths(grid, labels, np.array([0.2, 0.1]))
        assert lengths[0, 1] == pytest.approx(27, rel=0.12)

    def test_every_pair_in_contact_has_its_own_and_the_sum_is_all(self):
        grid = PatchGrid(np.random.default_rng(0).random((100, 120)), 10, step=5)
        labels = np.random.default_rng(0).integers(-1, 3, grid.shape)
        lengths = wall_lengths(grid, labels, np.ones(2))
        assert list(lengths) == [(0, 1), (0, 2), (1, 2)]
        assert sum(lengths.values()) == pytest.approx(boundary_length(labels, pixel_size=5))
