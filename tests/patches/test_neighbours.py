"""Pairs of neighbouring cells: on rasters, under masks, on graphs."""

import itertools

import numpy as np
import pytest
from scipy.ndimage import convolve

from phyvae import SiteGraph
from phyvae.patches.neighbours import neighbours_of

RANDOM = np.random.default_rng(0).uniform(0, 100, (60, 2))


def pairs_of(found):
    return {
        tuple(sorted(pair))
        for pair in zip(found.first.tolist(), found.second.tolist(), strict=True)
    }


def expected_pairs(rows, cols, reach):
    cells = list(itertools.product(range(rows), range(cols)))
    return {
        (a, b)
        for (a, (i, j)), (b, (k, m)) in itertools.combinations(enumerate(cells), 2)
        if 0 < (i - k) ** 2 + (j - m) ** 2 <= reach
    }


def crofton(labels):
    """Length of walls by the crossings of rows, columns and diagonals of the mirrored map."""
    straight = (labels[:, 1:] != labels[:, :-1]).sum() + (labels[1:] != labels[:-1]).sum()
    mirrored = np.pad(labels, 1, mode="symmetric")
    shares = np.pad(np.ones(np.subtract(labels.shape, 1)), 1, constant_values=0.5)
    diagonal = shares * (mirrored[1:, 1:] != mirrored[:-1, :-1])
    antidiagonal = shares * (mirrored[1:, :-1] != mirrored[:-1, 1:])
    return np.pi / 8 * (straight + (diagonal + antidiagonal).sum() / 2**0.5)


class TestARaster:
    @pytest.mark.parametrize("shape", [(4, 5), (5, 3), (1, 6), (6, 1), (1, 1)])
    @pytest.mark.parametrize("diagonals", [False, True])
    def test_every_pair_comes_once_with_its_distance(self, shape, diagonals):
        found = neighbours_of(shape, diagonals=diagonals)
        assert pairs_of(found) == expected_pairs(*shape, reach=2 if diagonals else 1)
        assert len(found) == len(pairs_of(found))
        places = np.indices(shape).reshape(2, -1).T
        away = places[found.second] - places[found.first]
        np.testing.assert_allclose(found.lengths, np.hypot(*away.T))

    @pytest.mark.parametrize("shape", [(9, 12), (1, 12), (7, 1)])
    def test_weights_of_unequal_pairs_add_up_to_the_length_of_the_walls(self, shape):
        labels = np.random.default_rng(0).integers(0, 3, shape)
        found = neighbours_of(shape, diagonals=True)
        unequal = labels.ravel()[found.first] != labels.ravel()[found.second]
        assert found.weights[unequal].sum() == pytest.approx(crofton(labels))

    @pytest.mark.parametrize(("axis", "length"), [(0, 3 * 60), (1, 60)])
    def test_straight_walls_of_oblong_cells_are_at_most_an_eighth_short(self, axis, length):
        labels = np.indices((60, 60))[axis] > 29
        vectors = np.array([[1.0, 0.0], [0.0, 3.0]])
        found = neighbours_of(labels.shape, diagonals=True, vectors=vectors)
        unequal = labels.ravel()[found.first] != labels.ravel()[found.second]
        assert 0.86 * length < found.weights[unequal].sum() <= length

    def test_a_disc_has_its_circumference_with_and_without_diagonals(self):
        y, x = np.indices((101, 101)) - 50
        disc = (np.hypot(y, x) < 40).ravel()
        for diagonals in (False, True):
            found = neighbours_of((101, 101), diagonals=diagonals)
            wall = disc[found.first] != disc[found.second]
            assert found.weights[wall].sum() == pytest.approx(2 * np.pi * 40, rel=0.02)

    def test_a_mask_keeps_the_pairs_within_it(self):
        mask = np.random.default_rng(0).random((6, 7)) > 0.3
        whole, found = (
            neighbours_of((6, 7), diagonals=True),
            neighbours_of((6, 7), mask, diagonals=True),
        )
        there = mask.ravel()
        assert pairs_of(found) == {(a, b) for a, b in pairs_of(whole) if there[a] and there[b]}
        assert 0 < len(found) < len(whole)

    @pytest.mark.parametrize("diagonals", [False, True])
    def test_sums_over_neighbours_are_a_convolution(self, diagonals):
        values = np.random.default_rng(0).random((6, 7))
        ring = np.array([[diagonals, 1, diagonals], [1, 0, 1], [diagonals, 1, diagonals]], float)
        expected = convolve(values, ring, mode="constant")
        np.testing.assert_allclose(
            neighbours_of((6, 7), diagonals=diagonals).sums(values), expected
        )

    def test_another_number_of_axes_is_refused(self):
        with pytest.raises(ValueError, match=r"truth of shape \(12,\) must have the axes"):
            neighbours_of((12,), name="truth")


class TestAGraph:
    @pytest.mark.parametrize("shape", [(60,), (1, 60)])
    def test_pairs_are_the_edges_and_those_with_a_face(self, shape):
        graph = SiteGraph.delaunay(RANDOM)
        found = neighbours_of(shape, graph=graph, diagonals=True)
        assert pairs_of(found) == {tuple(sorted(edge)) for edge in graph.edges.tolist()}
        faces = neighbours_of(shape, graph=graph)
        assert pairs_of(faces) == {
            tuple(sorted(e)) for e in graph.edges[graph.weights > 0].tolist()
        }
        assert len(faces) < len(found)
        assert (faces.weights > 0).all()
        distance = np.hypot(*(RANDOM[faces.second] - RANDOM[faces.first]).T)
        np.testing.assert_allclose(faces.lengths, distance)

    def test_weights_of_unequal_pairs_add_up_to_the_length_of_the_walls(self):
        graph, labels = SiteGraph.delaunay(RANDOM), np.random.default_rng(0).integers(0, 3, 60)
        found = neighbours_of((1, 60), graph=graph)
        unequal = labels[found.first] != labels[found.second]
        wall = labels[graph.edges[:, 0]] != labels[graph.edges[:, 1]]
        expected = np.pi / 4 * float((graph.weights * graph.lengths)[wall].sum())
        assert found.weights[unequal].sum() == pytest.approx(expected)

    def test_sums_and_masks_are_those_of_the_edges(self):
        graph, values = SiteGraph.delaunay(RANDOM), np.random.default_rng(0).random((1, 60))
        mask = values > 0.3
        found = neighbours_of((1, 60), mask, graph, diagonals=True)
        expected = np.zeros(60)
        for a, b in graph.edges.tolist():
            if mask[0, a] and mask[0, b]:
                expected[a] += values[0, b]
                expected[b] += values[0, a]
        np.testing.assert_allclose(found.sums(values), expected[None])

    def test_other_things_and_other_numbers_of_sites_are_refused(self, unchecked):
        with pytest.raises(TypeError, match="graph='delaunay' must be a SiteGraph"):
            unchecked(neighbours_of, (1, 60), graph="delaunay")
        with pytest.raises(ValueError, match=r"maps of shape \(6, 10\) must be those of"):
            neighbours_of((6, 10), graph=SiteGraph.delaunay(RANDOM), name="maps")
