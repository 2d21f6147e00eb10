"""The unit cell: two shortest vectors by which an image repeats."""

import os
from pathlib import Path

import numpy as np
import pytest

from lattices_of_atoms import atoms, same_lattice, turned, waves
from phyvae import phantoms, unit_cell

SQUARE = [(17.0, 0.0), (0.0, 17.0)]
OBLONG = [(14.0, 0.0), (0.0, 24.0)]
HEXAGONAL = [(16.0, 0.0), (-8.0, 8.0 * 3**0.5)]
SHAPE = (260, 330)
REAL = Path(os.environ.get("PHYVAE_REAL_DATA", Path(__file__).parents[3] / "shared" / "data/real"))


class TestUnitCell:
    @pytest.mark.parametrize("degrees", [0, 13, 45, 77])
    @pytest.mark.parametrize("vectors", [SQUARE, OBLONG, HEXAGONAL])
    def test_it_turns_with_the_lattice(self, vectors, degrees):
        vectors = turned(vectors, degrees)
        found = unit_cell(atoms(SHAPE, vectors, sigma=2.5, noise=0.2))
        assert same_lattice(found.vectors, vectors)
        assert found.doubt is None

    def test_it_is_reduced_and_leads_down_and_to_the_right(self):
        found = unit_cell(atoms(SHAPE, [(17.0, 17.0), (0.0, 17.0)]))
        np.testing.assert_allclose(found.vectors, SQUARE, atol=0.1)
        assert found.lengths == pytest.approx((17, 17), abs=0.1)
        assert found.angle == pytest.approx(90, abs=0.5)
        assert found.area == pytest.approx(289, rel=0.01)

    def test_transposing_swaps_the_axes(self):
        image = atoms(SHAPE, turned(OBLONG, 10), noise=0.1)
        found, other = unit_cell(image).vectors, unit_cell(image.T).vectors
        np.testing.assert_allclose(other, np.abs(found[::-1, ::-1]) * np.sign(other), atol=1e-6)

    @pytest.mark.parametrize("scale", [-300.0, 1e-6, 1e150])
    def test_scale_and_offset_do_not_matter(self, scale):
        image = atoms(SHAPE, SQUARE, noise=0.1)
        expected = unit_cell(image).vectors
        np.testing.assert_allclose(unit_cell(scale * (image + 2)).vectors, expected, atol=1e-6)

    @pytest.mark.parametrize("weak", [0.7, 0.8])
    def test_atoms_that_differ_a_little_make_the_cell_larger(self, weak):
        vectors = turned(SQUARE, 20)
        image = atoms(SHAPE, vectors, [((0, 0), 1.0), ((0.5, 0.5), weak)], noise=0.1)
        assert same_lattice(unit_cell(image).vectors, vectors)

    def test_equal_atoms_do_not(self):
        image = atoms(SHAPE, OBLONG, [((0, 0), 1.0), ((0, 0.5), 1.0)], noise=0.1)
        assert same_lattice(unit_cell(image).vectors, [(14, 0), (0, 12)])

    @pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
    def test_a_superlattice_keeps_its_cell_at_any_noise(self, noise):
        image = phantoms.graphene(lattice=12.6, seed=1).image
        image = image + noise * np.random.default_rng(0).normal(size=image.shape)
        assert unit_cell(image).lengths == pytest.approx([12.6 * 3**0.5] * 2, rel=0.02)

    def test_phantoms(self):
        assert unit_cell(phantoms.bfo(seed=0).image).lengths == pytest.approx([12.6] * 2, rel=0.01)

    def test_flaws_and_vacuum_do_not_matter(self):
        vectors = turned(SQUARE, 5)
        image = atoms(SHAPE, vectors, noise=0.1)
        image[:, :110] = 0.1 * np.random.default_rng(1).normal(size=(SHAPE[0], 110))
        image[40], image[:, 200], image[90, 90] = -50, 70, 1e4
        assert same_lattice(unit_cell(image).vectors, vectors)

    def test_hum_is_no_lattice(self):
        hum = np.sin(np.arange(SHAPE[0]) / 7.3)[:, None]
        assert same_lattice(unit_cell(atoms(SHAPE, SQUARE) + hum).vectors, SQUARE)
        noise = np.random.default_rng(0).normal(size=SHAPE)
        with pytest.raises(ValueError, match="no lattice"):
            unit_cell(noise + hum)

    @pytest.mark.parametrize("smooth", [0, 1, 3])
    def test_noise_has_none(self, smooth):
        from scipy.ndimage import gaussian_filter

        for seed in range(4):
            noise = np.random.default_rng(seed).normal(size=(128, 200))
            with pytest.raises(ValueError, match="no two directions repeat"):
                unit_cell(gaussian_filter(noise, smooth) if smooth else noise)

    def test_a_small_image_is_called_small(self):
        noise = np.random.default_rng(0).normal(size=(200, 40))
        with pytest.raises(ValueError, match="only 200 x 40 px: take a larger one"):
            unit_cell(noise)
        with pytest.raises(ValueError, match="image; give lengths by hand"):
            unit_cell(np.concatenate([noise, noise[::-1]], axis=1))

    def test_fringes_have_none(self):
        with pytest.raises(ValueError, match="no two directions repeat"):
            unit_cell(waves((200, 200), (0.1, 0.03), noise=0.3))

    def test_deviations_grow_with_distortion(self):
        image = atoms((300, 300), SQUARE, noise=0.05)
        y, x = np.mgrid[:300, :300]
        bent = image[y, (x + np.round(3 * np.sin(y / 40))).astype(int) % 300]
        assert (unit_cell(bent).stds[1] >= unit_cell(image).stds[1]).all()


class TestDoubt:
    def test_two_lattices(self):
        image = atoms((300, 300), SQUARE, noise=0.1)
        image[150:] = atoms((150, 300), turned(SQUARE, 25), noise=0.1)
        found = unit_cell(image)
        assert "two lattices" in found.doubt
        assert found.lengths == pytest.approx([17, 17], rel=0.03)

    def test_two_lattices_that_nearly_coincide_in_the_other_halves(self):
        flaws = phantoms.Flaws(rotation=9.0)
        image = phantoms.perovskite(
            (360, 360), 20.0, misorientation=20.0, flaws=flaws, dose=20.0, noise=0.1, seed=1
        ).image
        found = unit_cell(image)
        assert "left half" in found.doubt
        assert found.lengths == pytest.approx([20, 20], rel=0.03)

    @pytest.mark.parametrize("wall", [60, 100, 140])
    def test_sites_of_two_grains_that_coincide_are_no_cell(self, wall):
        turn = np.degrees(np.arctan2(1, 3))  # of Σ5: ±18.4°, a cell of 5 times the area
        image = atoms((200, 200), turned(SQUARE, turn), sigma=3.0, noise=0.1)
        image[wall:] = atoms((200, 200), turned(SQUARE, -turn), sigma=3.0, noise=0.1)[wall:]
        for turned_image in (image, image.T):
            found = unit_cell(turned_image)
            assert found.lengths == pytest.approx([17, 17], rel=0.03)
            assert "two lattices" in found.doubt

    def test_a_superlattice_in_one_half_is_no_second_lattice(self):
        atom = [((0, 0), 1.0), ((0.5, 0.5), 1.0)]
        image = atoms((300, 300), SQUARE, atom, sigma=2.0, noise=0.05)
        weaker = [((0, 0), 1.0), ((0.5, 0.5), 0.6)]
        image[170:] = atoms((300, 300), SQUARE, weaker, sigma=2.0, noise=0.05)[170:]
        assert unit_cell(image).doubt is None

    def test_few_cells(self):
        assert "along one axis" in unit_cell(atoms((40, 400), SQUARE)).doubt
        assert "holds only 14" in unit_cell(atoms((64, 64), SQUARE, noise=0.02)).doubt


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="no real images here")
@pytest.mark.parametrize(
    ("name", "lengths", "doubt"),
    [
        ("si111_7x7_stm", (43.6, 46.0), None),
        ("nsmo_stem", (21.3, 21.1), None),
        ("ybco_stem", (34.7, 11.3), None),
        ("mos2_v_doped_stem_a", (17.1, 17.6), None),
        ("graphene_grain_boundary_4nm_stem", (30.4, 31.5), "two lattices"),
        ("graphene_vacancy_h_stm", (33.3, 31.1), None),
        ("oxide_film_substrate_interface_stem", (27.3, 26.8), None),
        ("fe_bcc_tilt_boundary_stem", (16.6, 16.5), "two lattices"),
        ("bfo_interface_figure_render", (17.7, 17.6), None),
        ("perovskite_adf_stem", (29.5, 42.0), None),
    ],
)
def test_real_images(name, lengths, doubt):
    with np.load(REAL / f"{name}.npz") as file:
        found = unit_cell(file["image"])
    assert found.lengths == pytest.approx(lengths, rel=0.03)
    assert (found.doubt is None) if doubt is None else (doubt in found.doubt)


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="no real images here")
@pytest.mark.parametrize("corner", [(100, 0), (100, 100), (180, 200), (300, 0)])
def test_crops_of_a_tilt_boundary_have_its_cell(corner):
    with np.load(REAL / "fe_bcc_tilt_boundary_stem.npz") as file:
        image = file["image"][corner[0] : corner[0] + 200, corner[1] : corner[1] + 200]
    found = unit_cell(image)
    assert found.lengths == pytest.approx((16.6, 16.6), rel=0.03)
    assert (found.doubt is not None) == (corner[0] < 200)
