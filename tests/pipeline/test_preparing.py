"""Patches and settings of scans of every kind."""

import numpy as np
import pytest

import phyvae
from phyvae.pipeline.preparing import Request, prepared

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def image():
    return phyvae.phantoms.bfo((200, 220), lattice=12.0, seed=0).image


def scan(image, **settings):
    return phyvae.Scan(np.asarray(image), **settings)


class TestByCell:
    def test_is_that_of_suggest(self, image):
        found, suggested = prepared([scan(image)], Request()), phyvae.suggest(image)
        assert found.grids[0].patch_shape == suggested.size == found.settings["size"].value
        assert found.reach == suggested.reach
        assert "2 unit cells of 12.0 x 12.0 px" in found.settings["size"].reason

    def test_a_given_size_has_its_prior(self, image):
        found = prepared([scan(image)], Request(size=36, step=9))
        assert found.grids[0].patch_shape == (36, 36)
        assert found.grids[0].step == (9, 9)
        assert found.model["dx_prior"] == pytest.approx((0.29 * 12 / 18,) * 2, rel=0.02)
        assert found.settings["size"].reason == "given"

    def test_nan_and_excluded_pixels_are_no_specimen(self, image):
        bordered, excluded = image.copy(), np.zeros(image.shape, bool)
        bordered[:40] = np.nan
        excluded[:, :60] = True
        (grid,) = prepared([scan(bordered)], Request(exclude=excluded)).grids
        assert not grid.specimen[:40].any()
        assert not grid.specimen[:, :60].any()
        assert grid.specimen[60:, 80:].all()
        assert grid.image.isfinite().all()
        assert 0 < grid.count < len(grid)

    def test_several_scans_share_size_and_scale(self, image):
        found = prepared([scan(image), scan(0.5 * image[:180])], Request())
        one, two = found.grids
        assert one.patch_shape == two.patch_shape
        assert one.limits == two.limits
        assert two.image.max() < 0.7


class TestWithoutACell:
    def test_cannot_be_answered(self):
        found = prepared([scan(RNG.random((120, 120)))], Request())
        assert "no lattice" in found.problem
        assert "size=" in found.problem
        assert found.reach is None
        small = prepared([scan(RNG.random((40, 70)))], Request())
        assert "no lattice in only 40 x 70 px" in small.problem

    def test_can_with_a_size(self):
        found = prepared([scan(RNG.random((120, 120)))], Request(size=16))
        assert not found.problem
        assert found.grids[0].patch_shape == (16, 16)
        assert found.grids[0].step == (5, 5)


class TestSpectra:
    def test_one_spectrum_is_one_patch(self):
        cube = RNG.normal(size=(8, 9, 40))
        cube[2, 3] = np.nan
        found = prepared([scan(cube.mean(-1), cube=cube)], Request())
        assert found.grids[0].shape == (8, 9)
        assert found.grids[0].count == 71
        assert found.model["decoder_sig"] == pytest.approx(found.settings["noise"].value, rel=0.01)

    def test_refuse_a_size(self):
        cube = RNG.normal(size=(8, 9, 40))
        with pytest.raises(ValueError, match="whose patches are its spectra"):
            prepared([scan(cube.mean(-1), cube=cube)], Request(size=8))


def test_sites_are_the_centres_of_patches(image):
    sites = phyvae.find_sites(image, 12.0)
    found = prepared([scan(image)], Request(sites=sites))
    assert not found.grids[0].is_raster
    assert found.grids[0].patch_shape == phyvae.suggest(image).size
    with pytest.raises(ValueError, match="no step"):
        prepared([scan(image)], Request(sites=sites, step=4))


def test_sites_off_the_lattice_are_left_out_without_a_warning(image):
    sites = phyvae.find_sites(image, 12.0)
    inner = sites[(sites < 180).all(1)]
    between = inner[: len(sites) // 5] + 5.0  # one in six; a warning would be an error here
    found = prepared([scan(image)], Request(sites=np.concatenate([sites, between]), size=14))
    assert found.grids[0].off_lattice > 0


class TestFewPatches:
    @pytest.mark.parametrize("values", [None, RNG.random((200, 220))])
    def test_cannot_be_answered(self, image, values):
        one = scan(image if values is None else values)
        found = prepared([one], Request(size=24, step=100))
        assert "only 4 patches of 24 x 24 px fit at a step of 100 x 100 px" in found.problem
        assert "a smaller step" in found.problem
        assert not prepared([one], Request(size=24, step=50)).problem

    def test_one_patch_is_refused(self, image):
        with pytest.raises(ValueError, match=r"only 1 patches .* at a step of 190 x 200 px"):
            prepared([scan(image)], Request(size=24, step=(190, 200)))

    @pytest.mark.parametrize("step", [1000, (5, 220)])
    def test_a_step_beyond_the_image_is_refused(self, image, step):
        with pytest.raises(ValueError, match=r"step=.* exceeds the image, 200 x 220 px"):
            prepared([scan(image)], Request(step=step))


class TestRefusals:
    def test_of_unlike_scans(self, image):
        with pytest.raises(ValueError, match="one pixel size"):
            prepared([scan(image, pixel_size=(1.0, 1.0)), scan(image)], Request())

    def test_of_none(self):
        with pytest.raises(ValueError, match="one scan at least"):
            prepared([], Request())
