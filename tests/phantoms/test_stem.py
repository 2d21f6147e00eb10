"""STEM phantoms: columns, variants and interfaces."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from bright_spots import QUIET, SMALL, at, peak
from phyvae.phantoms import bfo, nio_lsmo, perovskite

STEM = [bfo, nio_lsmo, perovskite]


@pytest.mark.parametrize("make", STEM)
class TestEveryStemPhantom:
    def test_a_higher_dose_means_less_noise(self, make):
        low, high = (make(SMALL, dose=dose, **QUIET) for dose in (20.0, 2000.0))
        assert (low.image - low.clean).std() > 3 * (high.image - high.clean).std()

    def test_shot_noise_grows_with_brightness(self, make):
        phantom = make(SMALL, dose=100.0, **QUIET)
        error, bright = phantom.image - phantom.clean, phantom.clean > 0.4
        assert error[bright].std() > 1.3 * error[~bright].std()

    @pytest.mark.parametrize("dose", [0.0, -5.0, float("nan")])
    def test_refuses_a_dose_that_is_none_at_all(self, make, dose):
        with pytest.raises(ValueError, match=rf"dose={dose} .*None switches"):
            make(SMALL, dose=dose)

    @pytest.mark.parametrize("column", [0.1, 0.15])
    def test_columns_are_as_wide_as_asked(self, make, column):
        phantom = make((480, 480), 20.0, column=column, dose=None, **QUIET)
        sites = phantom.sites[((phantom.sites > 4) & (phantom.sites < 470)).all(axis=1)]
        sites = sites[at(phantom.domains, sites) == phantom.domains.max()]
        # Sites lie between two pixels: these are 0.5 and 2.5 px off the column's centre.
        low = phantom.clean.min()
        near, far = (at(phantom.clean, np.floor(sites) - (d, 0)) - low for d in (0, 2))
        sigma = np.sqrt((2.5**2 - 0.5**2) / 2 / np.log(np.median(near / far)))
        assert sigma == pytest.approx(20 * column, rel=0.15)

    @pytest.mark.parametrize(
        ("argument", "cure"),
        [
            ({"exponent": 0.0}, r"exponent=0.0 .* \(0, 2\]; 1.7 is HAADF"),
            ({"exponent": 2.1}, "exponent=2.1"),
            ({"exponent": float("nan")}, "exponent=nan"),
            ({"column": 0.0}, r"column=0.0 lattice constants .* \(0, 0.3\]"),
            ({"column": 0.31}, "column=0.31"),
            ({"column": float("nan")}, "column=nan"),
        ],
    )
    def test_refuses_columns_that_no_microscope_shows(self, make, argument, cure):
        with pytest.raises(ValueError, match=cure):
            make(SMALL, **argument)

    def test_repeats_with_the_stated_lattice(self, make):
        phantom = make((480, 480), 12.0, dose=None, **QUIET)
        bright = phantom.clean[:, 312:]  # one phase: 14 cells
        spectrum = np.abs(np.fft.rfft(bright.mean(axis=0)))
        assert spectrum[5:20].argmax() + 5 == 14


class TestBfo:
    @pytest.mark.parametrize("distortion", [0.0, 4.0])
    @pytest.mark.parametrize("displacement", [0.05, 0.1, 0.2])
    def test_iron_is_displaced_as_asked_oppositely_in_the_variants(self, displacement, distortion):
        phantom = bfo(
            (480, 480),
            20.0,
            displacement=displacement,
            column=0.14,  # at 0.17, bismuth pulls the nearest maximum of iron
            distortion=distortion,
            dose=None,
            **QUIET,
        )
        # The centre of four A sites as they appear, whether or not the drift shears the cell.
        corners = 20.0 * np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        found, corner = cKDTree(phantom.sites).query(phantom.sites[:, None] + corners)
        middle = phantom.sites[corner[(found < 5).all(axis=1)]].mean(axis=1)
        labels = at(phantom.domains, middle)
        shift = np.array([peak(phantom.clean, *np.rint(m).astype(int), 4) for m in middle])
        shift -= middle
        expected = displacement * 20.0 / 2**0.5
        for label, sign in ((0, 0), (1, -1), (2, 1)):
            np.testing.assert_allclose(
                np.median(shift[labels == label], axis=0),
                sign * expected,
                atol=0.1 + 0.03 * distortion,
            )
        along = shift.sum(axis=1)[labels > 0]
        if displacement >= 0.1:  # each single column, up to the wall, agrees with its label
            np.testing.assert_array_equal(along > 0, labels[labels > 0] == 2)

    @pytest.mark.parametrize("distortion", [0.0, 10.0])
    def test_bismuth_and_strontium_lie_where_the_truth_says(self, distortion):
        phantom = bfo(distortion=distortion, dose=None, **QUIET)
        height, labels = at(phantom.clean, phantom.sites), at(phantom.domains, phantom.sites)
        assert height[labels == 0].max() < 0.5
        assert height[labels > 0].min() > 0.6

    @pytest.mark.parametrize("exponent", [1.0, 1.7])
    def test_columns_follow_z_to_the_power_of_the_exponent(self, exponent):
        phantom = bfo(
            (480, 480), 20.0, displacement=0.1, exponent=exponent, column=0.12, dose=None, **QUIET
        )
        sites = phantom.sites[(phantom.sites[:, 0] < 460) & (phantom.sites[:, 1] < 460)]
        labels = at(phantom.domains, sites)
        floor = np.median(at(phantom.clean, sites + np.array([0, 10]))[labels > 0])
        shift = 20.0 * 0.1 / 2**0.5 * np.array([0, -1, 1])[labels]
        iron = at(phantom.clean, sites + 10 + shift[:, None])[labels > 0] - floor
        bismuth = at(phantom.clean, sites)[labels > 0] - floor
        ratio = (26**exponent + 8**exponent) / 83**exponent
        assert np.median(iron) / np.median(bismuth) == pytest.approx(ratio, rel=0.1)

    def test_gives_every_patch_the_same_phase_where_lattice_and_step_agree(self):
        sites = bfo(lattice=12.0).sites
        np.testing.assert_allclose((sites - 11.5) % 12.0, 0, atol=1e-9)  # centres of 24 px

    def test_a_wall_elsewhere_changes_nothing_but_the_variants(self):
        quiet = QUIET | {"dose": None, "seed": 3}
        high, low = (bfo((320, 400), wall=wall, **quiet) for wall in (0.3, 0.5))
        film = high.domains[0] > 0
        heights = [(phantom.domains[:, film] == 1).sum(axis=0) for phantom in (high, low)]
        np.testing.assert_allclose(heights[1] - heights[0], 0.2 * 320, atol=1.0)
        np.testing.assert_array_equal(high.sites, low.sites)
        # The scales differ a little where the brightest pixel does: compare far from the wall.
        same = distance_transform_edt(high.domains == low.domains) > 15
        slope, offset = np.polyfit(high.clean[same], low.clean[same], 1)
        np.testing.assert_allclose(slope * high.clean[same] + offset, low.clean[same], atol=1e-4)

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("wall", [0.2, 0.8])
    def test_an_outermost_wall_leaves_room_for_both_variants(self, wall, seed):
        film = bfo(SMALL, wall=wall, seed=seed).domains[:, 100:]
        assert (film[:3] == 1).all()
        assert (film[-3:] == 2).all()

    @pytest.mark.parametrize("wall", [0.1, 0.9, float("nan")])
    def test_refuses_a_wall_that_leaves_the_image(self, wall):
        with pytest.raises(ValueError, match=f"wall={wall} image heights"):
            bfo(SMALL, wall=wall)

    @pytest.mark.parametrize("displacement", [0.0, -0.1, 0.3, float("nan")])
    def test_refuses_a_displacement_without_two_variants(self, displacement):
        with pytest.raises(ValueError, match=f"displacement={displacement} .*perovskite"):
            bfo(SMALL, displacement=displacement)


class TestNioLsmo:
    @pytest.mark.parametrize("seed", range(3))
    def test_the_interface_is_one_sharp_line(self, seed):
        phantom = nio_lsmo(seed=seed, dose=None, **QUIET)
        assert (np.diff(phantom.domains, axis=1) == 1).sum(axis=1).tolist() == [1] * 600
        height, labels = at(phantom.clean, phantom.sites), at(phantom.domains, phantom.sites)
        border = distance_transform_edt(phantom.domains) + distance_transform_edt(
            1 - phantom.domains
        )
        near = at(border, phantom.sites) < phantom.lattice
        assert near.sum() > 100
        assert height[near & (labels == 1)].min() > 0.6 > height[near & (labels == 0)].max()

    def test_nickel_oxide_has_its_own_spacing(self):
        phantom = nio_lsmo()
        nickel = phantom.sites[at(phantom.domains, phantom.sites) == 0]
        np.testing.assert_allclose(
            np.diff(np.unique(nickel[:, 0].round(6))), 12.6 * 4.177 / 3.87 / 2, atol=1e-5
        )


class TestGrains:
    @pytest.mark.parametrize("angle", [3.0, 20.0, 45.0])
    def test_two_grains_are_turned_against_each_other_by_the_angle(self, angle):
        phantom = perovskite((500, 480), 20.0, misorientation=angle, seed=1, **QUIET)
        assert phantom.names == ("perovskite", "turned perovskite")
        labels = at(phantom.domains, phantom.sites)
        for label, expected in ((0, 0.0), (1, angle)):
            sites = phantom.sites[labels == label]
            assert len(sites) > 50
            distance, nearest = cKDTree(sites).query(sites, 5)
            steps = (sites[nearest[:, 1:]] - sites[:, None])[np.abs(distance[:, 1:] - 20) < 1e-6]
            found = np.rad2deg(np.arctan2(steps[:, 0], steps[:, 1]))
            # As a lattice of fourfold symmetry shows it, -45 to 45 degrees.
            off = (found - expected + 45) % 90 - 45
            np.testing.assert_allclose(off, 0, atol=1e-5)

    def test_columns_of_two_grains_do_not_merge(self):
        sites = perovskite(misorientation=17.0, seed=3).sites
        distance, _ = cKDTree(sites).query(sites, 2)
        assert distance[:, 1].min() >= 0.5 * 12.6 - 1e-9

    def test_sites_are_bright_in_both_grains(self):
        phantom = perovskite((400, 400), 20.0, misorientation=20.0, dose=None, **QUIET)
        inner = phantom.sites[((phantom.sites > 6) & (phantom.sites < 390)).all(axis=1)]
        assert at(phantom.clean, inner).min() > 0.7

    @pytest.mark.parametrize("angle", [-1.0, 46.0, float("nan")])
    def test_an_angle_beyond_those_that_differ_is_refused(self, angle):
        with pytest.raises(ValueError, match=f"misorientation={angle} degrees must lie in"):
            perovskite(SMALL, misorientation=angle)
