"""A survey finds flaws, residue and vacuum, and leaves clean specimens alone."""

import os
from pathlib import Path

import numpy as np
import pytest

from lattices_of_atoms import atoms, turned
from phyvae import phantoms, survey

VECTORS = turned([(13.0, 0.0), (0.0, 13.0)], 12)
SHAPE = (220, 260)
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]]
REAL = Path(os.environ.get("PHYVAE_REAL_DATA", Path(__file__).parents[3] / "shared" / "data/real"))


class TestSurvey:
    @pytest.mark.parametrize("model", ["bfo", "graphene", "nio_lsmo", "perovskite"])
    @pytest.mark.parametrize("noise", [0.0, 0.1])
    def test_clean_phantoms_are_specimen_everywhere(self, model, noise):
        image = getattr(phantoms, model)(shape=(310, 310), seed=2).image
        found = survey(image + noise * np.random.default_rng(0).normal(size=image.shape))
        assert found.mask.all()
        assert found.flaws == "none"

    @pytest.mark.parametrize("level", [0.0, 0.05])
    def test_vacuum_is_where_nothing_repeats(self, level):
        image = atoms(SHAPE, VECTORS, sigma=2.5, noise=0.05)
        vacuum = X + Y > 330
        image[vacuum] = level * np.random.default_rng(1).normal(size=vacuum.sum())
        found = survey(image)
        assert not found.vacuum[X + Y < 315].any()
        assert found.vacuum[X + Y > 365].all()
        np.testing.assert_array_equal(found.mask, ~found.vacuum)

    def test_another_orientation_and_a_weaker_layer_are_no_vacuum(self):
        image = atoms(SHAPE, VECTORS, sigma=2.5, noise=0.03)
        image[:, 130:] = 0.25 * atoms((220, 130), VECTORS, sigma=2.5, noise=0.1)
        image[:60] = atoms((60, 260), turned(VECTORS, 31), sigma=2.5, noise=0.03)
        assert not survey(image).vacuum.any()

    def test_a_weak_layer_next_to_vacuum_is_none(self):
        image = atoms(SHAPE, VECTORS, sigma=2.5)
        image[:, :130] *= 0.35
        image[X + 2 * Y > 460] = 0
        found = survey(image + 0.05 * np.random.default_rng(1).normal(size=SHAPE))
        assert found.vacuum[X + 2 * Y > 490].mean() > 0.99
        assert found.vacuum[X + 2 * Y < 430].mean() < 0.01

    @pytest.mark.parametrize("slope", [0.0, 0.03])
    def test_residue_is_a_bright_place_also_on_a_slope(self, slope):
        image = atoms(SHAPE, VECTORS, sigma=2.5, noise=0.1) + slope * (2 * X + Y)
        residue = np.hypot(Y - 70, X - 180) < 25
        found = survey(image + 1.5 * residue)
        assert found.residue[residue].all()
        assert not found.residue[np.hypot(Y - 70, X - 180) > 36].any()
        assert not found.vacuum.any()
        assert f"residue {100 * found.residue.mean():.1f} %" in found.flaws

    def test_a_slope_or_a_second_layer_is_none(self):
        image = atoms(SHAPE, VECTORS, sigma=2.5, noise=0.1)
        assert survey(image + X / 40).mask.all()
        assert survey(image + 2 * (Y > 160)).mask.all()

    def test_flaws_are_masked_and_repaired(self):
        image = atoms(SHAPE, VECTORS, sigma=2.5, noise=0.1)
        clean = image.copy()
        image[30], image[:, 40], image[100, 100] = -9, 12, 40
        found = survey(image)
        expected = np.ones(SHAPE, bool)
        expected[30] = expected[:, 40] = expected[100, 100] = False
        np.testing.assert_array_equal(found.mask, expected)
        np.testing.assert_array_equal(found.repaired[expected], clean[expected])
        assert found.limits[0] > -1
        assert found.limits[1] < 2
        assert found.flaws == "1 row, 1 column, 1 pixel"
        assert repr(found) == f"Survey(noise={found.noise:.3g}, flaws: {found.flaws})"

    def test_noise_is_that_of_a_pixel(self):
        image = atoms(SHAPE, VECTORS, sigma=2.5)
        noisy = image + 0.1 * np.random.default_rng(0).normal(size=SHAPE)
        assert survey(noisy).noise == pytest.approx(0.1, rel=0.1)

    def test_without_a_lattice_there_is_no_cell_and_no_vacuum(self):
        noise = np.random.default_rng(0).normal(size=SHAPE)
        found = survey(noise)
        assert found.cell is None
        assert found.mask.all()

    def test_small_images_are_refused(self):
        with pytest.raises(ValueError, match="at least 9 x 9"):
            survey(np.eye(8))


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="no real images here")
@pytest.mark.parametrize(
    "path",
    sorted([*REAL.glob("*stem*.npz"), *REAL.glob("si111_7x7*.npz")]),
    ids=lambda path: path.stem,
)
def test_of_real_images_residue_alone_is_flagged(path):
    with np.load(path) as file:
        found = survey(file["image"])
    if path.stem == "si111_7x7_stm":  # a blob in a corner of a tilted scan
        assert found.residue[205:, 15:70].mean() > 0.9
        assert found.residue.mean() < 0.08
    elif path.stem == "mos2_v_doped_stem_a":
        assert found.residue[200:290, 410:440].mean() > 0.7
        assert found.residue.mean() < 0.08
    else:
        assert found.mask.all()


def test_a_brighter_layer_is_no_residue():
    image = atoms(SHAPE, VECTORS, noise=0.05)
    image[:, 215:] += 1.0
    assert not survey(image).residue.any()


class TestExclude:
    def test_excluded_and_missing_pixels_are_no_specimen(self):
        image = phantoms.bfo((200, 200), seed=0).image.copy()
        image[:30], exclude = np.nan, np.zeros(image.shape, bool)
        exclude[:, :40] = True
        found = survey(image, exclude=exclude)
        assert not found.mask[:30].any()
        assert not found.mask[:, :40].any()
        assert found.mask[80:, 80:].all()
        assert np.isfinite(found.repaired).all()

    def test_the_whole_image_is_refused(self):
        image = phantoms.bfo((200, 200), seed=0).image
        with pytest.raises(ValueError, match="exclude leaves 0 %"):
            survey(image, exclude=np.ones(image.shape, bool))

    def test_another_shape_is_refused_by_name(self):
        with pytest.raises(ValueError, match=r"exclude of shape \(3, 3\)"):
            survey(np.random.default_rng(0).random((40, 40)), exclude=np.ones((3, 3), bool))
