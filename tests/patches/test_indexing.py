"""Rows and columns follow the lattice, whatever became of it on the way to the image."""

import numpy as np
import pytest

from phyvae.patches.indexing import index_sites, lattice_vectors, straightened

LATTICES = {
    "square": [[12.6, 0], [0, 12.6]],
    "turned by 30 degrees": [[10.9, 6.3], [-6.3, 10.9]],
    "hexagonal": [[10.91, 6.3], [0, 12.6]],
    "oblique": [[14, 5], [2, 10]],
    "one to two": [[24, 0], [0, 12]],
}


def lattice(vectors, size=250.0):
    """Indices and sites of all lattice points in a square."""
    index = np.stack(np.meshgrid(*[np.arange(-60, 60)] * 2, indexing="ij"), -1).reshape(-1, 2)
    sites = index @ np.array(vectors) + size / 2
    inside = ((sites > 0) & (sites < size)).all(1)
    return index[inside], sites[inside]


def bent(sites, amplitude):
    phase = 2 * np.pi * sites[:, :1] / 250
    return sites + amplitude * np.hstack([np.sin(phase + 1), np.sin(phase + 3)])


def indexed(sites):
    index, fits = index_sites(sites, lattice_vectors(sites))
    index[fits], vectors = straightened(sites[fits], index[fits])
    return index, fits, vectors


def agree(index, truth):
    """Are two indices the same but for the origin and another choice of the axes?"""
    ones = np.ones((len(truth), 1))
    change = np.rint(np.linalg.lstsq(np.hstack([truth, ones]), index, rcond=None)[0])
    whole = abs(round(np.linalg.det(change[:2]))) == 1
    return whole and np.array_equal(np.hstack([truth, ones]) @ change, index)


@pytest.mark.parametrize("name", LATTICES)
class TestEveryLattice:
    def test_a_perfect_one_is_indexed_with_its_vectors(self, name):
        truth, sites = lattice(LATTICES[name])
        index, fits, vectors = indexed(sites)
        assert fits.all()
        assert agree(index, truth)
        offset = sites[0] - index[0] @ vectors
        np.testing.assert_allclose(index @ vectors + offset, sites, atol=1e-9)

    @pytest.mark.parametrize("amplitude", [4.0, 7.0])
    def test_a_slow_bend_does_not_matter(self, name, amplitude):
        truth, sites = lattice(LATTICES[name])
        index, fits, _ = indexed(bent(sites, amplitude))  # strains of 10 and 18 %
        assert fits.all()
        assert agree(index, truth)

    def test_neither_do_holes_and_noise(self, name):
        truth, sites = lattice(LATTICES[name])
        rng = np.random.default_rng(0)
        there = rng.random(len(sites)) > 0.15
        there[np.hypot(*(sites - 100).T) < 25] = False
        truth, sites = truth[there], bent(sites, 4)[there]
        index, fits, _ = indexed(sites + rng.normal(0, 0.4, sites.shape))
        assert fits.mean() > 0.99
        assert agree(index[fits], truth[fits])

    def test_a_site_between_lattice_points_fits_none(self, name):
        truth, sites = lattice(LATTICES[name])
        middle = sites[np.hypot(*(sites - 125).T).argmin()] + np.sum(LATTICES[name], 0) / 2
        index, fits, _ = indexed(np.vstack([sites, middle]))
        assert list(fits) == [True] * len(sites) + [False]
        assert agree(index[:-1], truth)

    def test_of_two_on_one_lattice_point_the_better_one_gets_it(self, name):
        truth, sites = lattice(LATTICES[name])
        close = sites[np.hypot(*(sites - 125).T).argmin()] + (1.1, 1.3)
        index, fits, _ = indexed(np.vstack([close, sites]))
        assert list(fits) == [False] + [True] * len(sites)
        assert agree(index[1:], truth)


def test_a_site_far_from_an_empty_lattice_point_does_not_take_it():
    _, sites = lattice(LATTICES["square"])
    nearest = np.hypot(*(sites - 125).T).argmin()
    sites[nearest] += (5.0, 5.0)
    _, fits, _ = indexed(sites)
    assert list(np.flatnonzero(~fits)) == [nearest]


def test_indices_along_other_axes_are_straightened():
    truth, sites = lattice(LATTICES["square"])
    index, vectors = straightened(sites, truth @ np.array([[1, 2], [1, 3]]))
    offset = sites[0] - index[0] @ vectors
    np.testing.assert_allclose(index @ vectors + offset, sites, atol=1e-9)
    np.testing.assert_allclose(vectors, LATTICES["square"], atol=1e-9)


def test_rows_run_down_and_columns_to_the_right():
    for name in LATTICES:
        _, _, ((down, right), (lower, rightwards)) = indexed(lattice(LATTICES[name], 150.0)[1])
        assert down > 0 < rightwards
        assert down / np.hypot(down, right) > 0.7 < rightwards / np.hypot(lower, rightwards)


def test_an_island_beyond_a_gap_is_reached():
    truth, sites = lattice(LATTICES["square"])
    there = (sites[:, 1] < 110) | (sites[:, 1] > 135)  # two columns are missing
    index, fits, _ = indexed(sites[there])
    assert fits.all()
    assert agree(index, truth[there])


@pytest.mark.parametrize("gap", [(105, 130), (90, 160)])
def test_an_island_beyond_a_wide_gap_continues_the_lattice(gap):
    truth, sites = lattice(LATTICES["square"])
    beyond = (sites[:, 1] < gap[0]) | (sites[:, 1] > gap[1])
    index, fits, _ = indexed(sites[beyond] + np.random.default_rng(0).normal(0, 0.3, (1, 2)))
    assert fits.all()
    assert agree(index, truth[beyond])


@pytest.mark.parametrize("other", ["shifted", "turned"])
def test_an_island_of_another_lattice_does_not(other):
    _, sites = lattice(LATTICES["square"])
    first = sites[sites[:, 1] < 100]
    if other == "shifted":
        second = sites[sites[:, 1] > 160] + [6.3, 0]
    else:
        _, second = lattice([[11.1, 6], [-6, 11.1]])
        second = second[second[:, 1] > 160]
    _, fits, _ = indexed(np.concatenate([first, second]))
    assert fits[: len(first)].all()
    assert not fits[len(first) :].any()


@pytest.mark.parametrize("angle", [0.0, 0.2])
@pytest.mark.parametrize("wide", [14.0, 21.0, 28.0, 42.0, 45.0, 60.0, 75.0])
def test_turned_flipped_stretched_and_transposed_sites_have_such_indices(wide, angle):
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    truth, sites = lattice([[14, 0], [0, wide]], 400.0)
    for change in (np.eye(2), np.diag([-1, 1]), np.diag([1, -1])):
        index, fits, vectors = indexed(sites @ turn @ change)
        assert fits.all()
        assert agree(index, truth)
        np.testing.assert_allclose(np.hypot(*vectors.T), [14, wide])  # no diagonal of the cell
    index, _, vectors = indexed((sites @ turn)[:, ::-1])
    np.testing.assert_allclose(np.hypot(*vectors.T), [wide, 14])


def test_two_sublattices_are_one_finer_lattice():
    _, sites = lattice(LATTICES["square"])
    _, _, vectors = indexed(np.vstack([sites, sites + 6.3]))
    assert abs(np.linalg.det(vectors)) == pytest.approx(12.6**2 / 2)


def test_sites_along_a_line_have_no_lattice():
    sites = np.stack([np.arange(50.0), 10 * np.arange(50.0)], axis=1)
    with pytest.raises(ValueError, match=r"no lattice.*lattice=False"):
        lattice_vectors(sites)
