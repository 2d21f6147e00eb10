"""Rows, columns and cells that are unlike their neighbours."""

import numpy as np

from phyvae.domains.outlying import filled, noise_of, outlying

RNG = np.random.default_rng(0)
HALVES = np.repeat([0.0, 1.0], 12) + RNG.normal(0, 0.03, (2, 22, 24))
ALL = np.ones((22, 24), dtype=bool)


class TestOutlying:
    def test_dead_lines_and_hot_cells_are_found_and_walls_are_not(self):
        maps = HALVES.copy()
        maps[0, 10], maps[1, :, 5], maps[0, 3, 17] = 5.0, -3.0, 4.0
        rows, columns, cells = outlying(maps, ALL, noise_of(maps, ALL))
        assert (rows, columns) == ((10,), (5,))
        assert cells[10].all()
        assert cells[:, 5].all()
        assert cells[3, 17]
        assert cells.sum() == 22 + 24 - 1 + 1

    def test_a_line_at_the_border_is_found_but_no_wall_next_to_it(self):
        for line, found in (((0,), ((0,), ())), ((slice(None), -1), ((), (23,)))):
            maps = HALVES.copy()
            maps[0][line] = 5.0
            assert outlying(maps, ALL, noise_of(maps, ALL))[:2] == found
        ramp = HALVES + 3 * (np.arange(24) < 1) + 1.5 * (np.arange(24) == 1)
        assert outlying(ramp, ALL, noise_of(ramp, ALL))[:2] == ((), ())

    def test_nothing_is_found_in_halves_and_noise(self):
        for maps in (HALVES, np.round(HALVES), 0 * HALVES, RNG.normal(size=(2, 22, 24))):
            rows, columns, cells = outlying(maps, ALL, noise_of(maps, ALL))
            assert (rows, columns, cells.any()) == ((), (), False)

    def test_a_wall_does_not_change_the_noise(self):
        assert np.allclose(noise_of(HALVES, ALL), 0.03, rtol=0.15)


def test_filled_takes_the_nearest_known_value():
    known = np.array([[True, False, False, True]])
    assert filled(np.array([[[1.0, np.nan, np.nan, 4.0]]]), known).tolist() == [[[1, 1, 4, 4]]]
