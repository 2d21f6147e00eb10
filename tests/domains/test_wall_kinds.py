"""Walls have the length and the kind that the two crystals were made with."""

import os
from pathlib import Path

import numpy as np
import pytest

import phyvae
from crystals import HEXAGONAL, TWO_ATOMS, turned, two_crystals
from phyvae import boundary_length, walls_between

REAL = Path(os.environ.get("PHYVAE_REAL_DATA", Path(__file__).parents[3] / "shared" / "data/real"))
ONE_ATOM = TWO_ATOMS[:1]


def wall_of(*args, **kwargs):
    (wall,) = walls_between(*two_crystals(*args, **kwargs))
    return wall


class TestKind:
    @pytest.mark.parametrize("degrees", [-20.0, 0.8, 5.0, 40.0])
    def test_a_tilt_is_measured_with_its_sign(self, degrees):
        wall = wall_of(turned(degrees))
        assert abs(wall.tilt - degrees) < max(3 * wall.tilt_std, 0.02)
        assert wall.kind == f"tilt {abs(wall.tilt):.1f}°"
        assert wall.tilt_std < 0.3
        assert np.isnan(wall.registry).all()
        assert wall.reason

    @pytest.mark.parametrize("strains", [(0.021, 0.0), (-0.01, -0.01), (0.03, -0.02)])
    def test_a_strain_is_measured_along_its_axes(self, strains):
        wall = wall_of(turned(0, strains))
        np.testing.assert_allclose(wall.strain, sorted(100 * np.array(strains))[::-1], atol=0.15)
        assert wall.kind.startswith("strain")

    def test_tilt_and_strain_are_told_apart(self):
        assert wall_of(turned(5, (0.03, 0.0))).kind == "tilt 5.0°, strain 3.0 %"

    @pytest.mark.parametrize("shift", [(0.5, 0.5), (0.5, 0.0), (0.33, 0.2)])
    def test_a_shift_is_the_fraction_of_the_cell(self, shift):
        wall = wall_of(shift=shift, noise=0.1)
        np.testing.assert_allclose(wall.registry, shift, atol=0.02)
        assert wall.kind.startswith("antiphase" if 0.33 not in shift else "shift (0.3")
        assert wall.registry_std < 0.02

    @pytest.mark.parametrize("change", ["brighter", "atom"])
    def test_a_shift_between_unlike_cells_is_contrast_with_a_remark(self, change):
        grid, labels = two_crystals(shift=(0.5, 0.5), noise=0.1)
        image = grid.image.numpy().astype(float)
        y, x = np.indices(image.shape) - 150
        if change == "brighter":
            image = np.where(0.3 * y + x > 0, image, 0.8 * image)
        else:
            other, _ = two_crystals(atoms=ONE_ATOM, noise=0.1)
            image = np.where(0.3 * y + x > 0, image, 2 * other.image.numpy())
        (wall,) = walls_between(phyvae.PatchGrid(image, size=28, step=9), labels)
        assert wall.kind == "contrast"
        np.testing.assert_allclose(wall.registry, 0.5, atol=0.03)
        assert "(0.50, 0.50) cells apart" in wall.reason

    def test_nothing_but_content_is_contrast(self):
        wall = wall_of()
        assert wall.kind == "contrast"
        assert abs(wall.tilt) < 0.1
        assert max(wall.registry) < 0.02
        assert wall.reason == ""

    @pytest.mark.parametrize(("degrees", "least"), [(60.0, 0.0), (25.0, 25.0), (38.0, -22.0)])
    def test_equivalent_orientations_of_a_hexagonal_lattice_are_one(self, degrees, least):
        wall = wall_of(turned(degrees), vectors=HEXAGONAL, atoms=ONE_ATOM)
        assert abs(wall.tilt - least) < 0.1
        assert (wall.kind == "contrast") == (least == 0)

    def test_a_twin_is_the_smaller_strain_rather_than_a_quarter_turn(self):
        wall = wall_of(np.diag([14.5 / 14, 14 / 14.5]), vectors=np.diag([14.0, 14.5]))
        np.testing.assert_allclose(wall.strain, (3.57, -3.45), atol=0.2)
        assert abs(wall.tilt) < 0.2

    def test_a_superlattice_is_not_strained_against_its_own_crystal(self):
        grid, labels = two_crystals(atoms=ONE_ATOM, noise=0.0)
        image = grid.image.numpy().astype(float)
        y, x = np.indices(image.shape) - 150
        domains = 0.3 * y + x > 0
        wave = 0.15 * np.cos(np.pi * y / 14) * np.cos(np.pi * x / 14)
        grid = phyvae.PatchGrid(image + domains * wave, size=28, step=9)
        (wall,) = walls_between(grid, labels)
        assert wall.kind == "contrast"
        np.testing.assert_allclose(wall.strain, 0, atol=0.1)

    def test_pixels_of_two_sizes_count(self):
        # Squeezed along y in px; a turn of 10 degrees in nm.
        squeeze = np.diag([0.8, 1.0])
        change = np.linalg.inv(squeeze) @ turned(10) @ squeeze
        grid, labels = two_crystals(change, vectors=np.diag([14.0, 14.0]) @ squeeze)
        (wall,) = walls_between(grid, labels, pixel_size=(0.0125, 0.01))
        assert abs(wall.tilt - 10) < 0.1
        assert wall.kind == "tilt 10.0°"
        assert wall.unit == "nm"

    def test_distortion_of_a_scan_is_no_jump(self):
        flaws = phyvae.phantoms.Flaws(strain=0.02)
        phantom = phyvae.phantoms.bfo((400, 400), flaws=flaws, seed=21)
        grid = phyvae.PatchGrid(phantom.image, size=26, step=9)
        kinds = [wall.kind for wall in walls_between(grid, grid.sample(phantom.domains))]
        assert set(kinds) <= {"contrast", "unknown"}

    def test_a_domain_without_room_is_unknown_with_its_reason(self):
        grid, labels = two_crystals()
        labels = np.zeros_like(labels)
        labels[10:12, 10:12] = 1
        (wall,) = walls_between(grid, labels)
        assert wall.kind == "unknown"
        assert "domain 1 has too little room" in wall.reason
        assert np.isnan([wall.tilt, *wall.strain, *wall.registry]).all()

    def test_noise_is_unknown(self):
        grid = phyvae.PatchGrid(np.random.default_rng(0).random((120, 120)), size=20, step=10)
        labels = np.indices(grid.shape)[1] // 6
        (wall,) = walls_between(grid, labels)
        assert wall.kind == "unknown"
        assert wall.reason == "domain 0 shows no lattice"

    def test_spectra_have_lengths_only(self):
        cube = np.random.default_rng(0).random((8, 10, 20))
        grid = phyvae.PatchGrid.from_spectra(cube)
        (wall,) = walls_between(grid, np.indices(grid.shape)[1] // 5, pixel_size=2.0)
        assert wall.kind == "unknown"
        assert wall.length == pytest.approx(boundary_length(np.indices(grid.shape)[1] // 5) * 2)

    @pytest.mark.skipif(not REAL.is_dir(), reason="no real images on this machine")
    def test_a_tilt_boundary_of_iron_is_that_of_five_coincident_cells(self):
        file = REAL / "fe_bcc_tilt_boundary_stem.npz"
        grid = phyvae.PatchGrid(np.load(file)["image"], size=46, step=12)
        (wall,) = walls_between(grid, (grid.centers[..., 0] > 248).astype(int))
        assert abs(abs(wall.tilt) - 36.87) < 1


class TestWalls:
    def test_are_one_per_pair_and_together_the_boundary(self):
        grid, _ = two_crystals(shape=(100, 120))
        labels = np.random.default_rng(0).integers(-1, 3, grid.shape)
        walls = walls_between(grid, labels)
        assert [wall.domains for wall in walls] == [(0, 1), (0, 2), (1, 2)]
        total = sum(wall.length for wall in walls)
        assert total == pytest.approx(9 * boundary_length(labels))


class TestRefusals:
    def test_labels_of_another_grid(self):
        grid, labels = two_crystals()
        with pytest.raises(ValueError, match="labels has shape"):
            walls_between(grid, labels[1:])

    @pytest.mark.parametrize("size", [0.0, (0.1, -1.0), (0.1, 0.1, 0.1)])
    def test_pixel_sizes(self, size):
        grid, labels = two_crystals()
        with pytest.raises(ValueError, match="pixel_size"):
            walls_between(grid, labels, pixel_size=size)
