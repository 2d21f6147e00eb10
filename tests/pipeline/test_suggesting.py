"""Settings that follow from the unit cell."""

import numpy as np
import pytest

import phyvae
from lattices_of_atoms import atoms, turned
from phyvae import suggest

OBLONG = [(12.0, 0.0), (0.0, 20.0)]
SHAPE = (320, 360)
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]]


class TestSuggest:
    def test_a_patch_holds_two_cells_either_way(self):
        found = suggest(atoms(SHAPE, OBLONG, noise=0.1))
        assert found.size == (24, 40)
        assert found.reach == (9, 15)
        assert found.dx_prior == pytest.approx((0.29, 0.29), rel=0.03)

    @pytest.mark.parametrize("degrees", [10, 45, 80])
    def test_a_turned_lattice_has_square_patches(self, degrees):
        hexagonal = turned([(16.0, 0.0), (-8.0, 8.0 * 3**0.5)], degrees)
        found = suggest(atoms(SHAPE, hexagonal, noise=0.1))
        assert found.size[0] == found.size[1] == pytest.approx(2 * 16 * 0.92, abs=1)

    def test_large_cells_make_patches_of_one_cell_and_a_wider_prior(self):
        image = atoms((160, 160), [(30.0, 0.0), (0.0, 30.0)], sigma=4, noise=0.1)
        found = suggest(image)
        assert found.size == (30, 30)
        assert found.dx_prior == pytest.approx((0.58, 0.58), rel=0.03)

    def test_no_wave_of_the_lattice_alternates_from_cell_to_cell(self):
        # A patch of one and a half cells, a third of which is half a cell.
        found = suggest(atoms((400, 380), [(30.0, 0.0), (0.0, 42.0)], sigma=4, noise=0.1))
        phase = np.array(found.step) / (30.0, 42.0)
        assert (np.abs(phase - np.round(phase)) < 0.46).all()
        assert found.grid(step=20).step == (20, 20)

    @pytest.mark.parametrize("lattice", [8.0, 12.0, 15.0, 18.0])
    def test_the_step_is_about_a_third_and_makes_no_slow_moire(self, lattice):
        found = suggest(atoms(SHAPE, [(lattice, 0), (0, lattice)], noise=0.1))
        for step, size in zip(found.step, found.size, strict=True):
            assert 0.24 < step / size < 0.43
            phase = step / lattice
            assert abs(phase - round(phase)) > 0.14

    def test_a_slow_background_is_subtracted(self):
        image = atoms(SHAPE, OBLONG, noise=0.1)
        for slow in (X / 60 - Y / 90, np.sin(X / 70) + np.cos(Y / 90 + 1)):
            found = suggest(image + slow)
            assert found.flattened
            assert np.abs(found.image - found.image.mean() - image + image.mean()).max() < 0.35

    def test_a_weak_background_stays(self):
        image = atoms(SHAPE, OBLONG, noise=0.1) + 0.02 * np.sin(X / 70)
        found = suggest(image)
        assert not found.flattened
        np.testing.assert_array_equal(found.image, image)

    @pytest.mark.parametrize("step", [Y > 150, (Y > 100).astype(int) + (Y > 210), X + Y / 3 > 220])
    def test_domains_of_different_brightness_keep_it(self, step):
        image = atoms(SHAPE, OBLONG, noise=0.1) + 0.4 * step
        found = suggest(image)
        assert not found.flattened
        np.testing.assert_array_equal(found.image, image)
        assert "domains of brightness" in found.reasons["flatten"]

    def test_what_is_asked_for_is_done(self):
        image = atoms(SHAPE, OBLONG, noise=0.1) + 2.0 * (Y > 150)
        assert suggest(image, flatten=True).flattened
        assert not suggest(image + X / 60, flatten=False).flattened
        large = suggest(image + X / 60, flatten=True, size=160)
        assert large.image[:, -30:].mean() == pytest.approx(large.image[:, :30].mean(), abs=0.2)

    @pytest.mark.filterwarnings("error")
    def test_a_scan_with_hardly_any_specimen_has_no_background(self):
        exclude = np.ones(SHAPE, bool)
        exclude[::3, ::2] = exclude[1::3, ::2] = False
        found = suggest(atoms(SHAPE, OBLONG, noise=0.1) + X / 60, exclude=exclude)
        assert not found.flattened

    def test_the_grid_leaves_out_what_is_no_specimen(self):
        image = atoms(SHAPE, OBLONG, sigma=2.5, noise=0.05)
        image[:, 220:] = 0.05 * np.random.default_rng(1).normal(size=(SHAPE[0], 140))
        grid = suggest(image).grid()
        assert grid.mask is not None
        assert not grid.mask[:, -3:].any()
        assert grid.mask[:, :4].all()

    def test_every_choice_has_its_reason(self):
        found = suggest(phyvae.phantoms.bfo(lattice=12.0, seed=0).image)
        names = ["cell", "size", "step", "dx_prior", "reach", "flatten", "mask"]
        assert list(found.reasons) == names
        assert all(found.reasons.values())
        assert repr(found).startswith("Suggestion(size=(24, 24), step=(")

    def test_what_is_given_is_taken_and_the_rest_follows(self):
        image = atoms(SHAPE, OBLONG, noise=0.1) + X / 60
        found = suggest(image, size=(36, 40), step=7, flatten=False)
        assert found.size == (36, 40)
        assert found.step == (7, 7)
        assert not found.flattened
        assert found.dx_prior[0] == pytest.approx(0.29 * 24 / 36, rel=0.03)
        assert [found.reasons[name][:5] for name in ("size", "step", "flatten")] == ["given"] * 3

    def test_what_is_nan_or_excluded_is_no_specimen(self):
        image, exclude = atoms(SHAPE, OBLONG, noise=0.1), np.zeros(SHAPE, bool)
        image[:50], exclude[:, :60] = np.nan, True
        found = suggest(image, exclude=exclude)
        assert found.size == (24, 40)
        assert found.mask is not None
        assert not found.mask[:50].any()
        assert not found.mask[:, :60].any()
        assert found.mask[90:, 70:].all()

    def test_an_image_without_a_lattice_is_refused(self):
        with pytest.raises(ValueError, match="no natural size"):
            suggest(np.random.default_rng(0).normal(size=(100, 100)))
