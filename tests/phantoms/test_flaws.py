"""Imperfections of specimen and recording: what they change, and that the truth stays exact."""

import numpy as np
import pytest

from bright_spots import QUIET, SMALL, at, peak
from phyvae.phantoms import Flaws, bfo, graphene, nio_lsmo, perovskite

STEM = [bfo, nio_lsmo, perovskite]
PLACES = {"rotation": 33.0, "strain": 0.03, "pixel_aspect": 1.3}
ALL = Flaws(
    **PLACES, thickness=0.3, vacuum=0.1, residue=3, dead_rows=2, hot_rows=1, dead_pixels=9,
    hot_pixels=4,
)  # fmt: skip


class TestEveryPhantom:
    @pytest.mark.parametrize("make", [*STEM, graphene])
    def test_without_flaws_is_as_if_there_were_none(self, make):
        ideal, same = make(SMALL, distortion=3.0), make(SMALL, distortion=3.0, flaws=Flaws())
        for name in ("image", "clean", "domains", "sites"):
            np.testing.assert_array_equal(getattr(ideal, name), getattr(same, name))
        assert not ideal.faulty.any()

    @pytest.mark.parametrize("make", [*STEM, graphene])
    @pytest.mark.parametrize(
        "flaws", [*({name: value} for name, value in PLACES.items()), PLACES], ids=str
    )
    def test_has_its_sites_on_the_bright_spots(self, make, flaws):
        phantom = make((500, 480), 20.0, flaws=Flaws(**flaws), **QUIET)
        inner = phantom.sites[((phantom.sites > 6) & (phantom.sites < 470)).all(axis=1)]
        if make is graphene:
            inner = inner[at(phantom.domains, inner) == 0]
        found = [peak(phantom.clean + 0.1, *np.rint(site).astype(int), 3) for site in inner]
        error = np.abs(np.array(found) - inner)
        assert len(inner) > 100
        assert np.median(error) < 0.15

    @pytest.mark.parametrize("make", STEM)
    def test_shows_no_specimen_in_a_share_of_vacuum(self, make):
        phantom = make(SMALL, flaws=Flaws(vacuum=0.2))
        vacuum = phantom.domains == -1
        assert vacuum.mean() == pytest.approx(0.2, abs=1e-3)
        assert phantom.clean[vacuum].mean() < 0.4 * phantom.clean[~vacuum].mean()
        assert (at(phantom.domains, phantom.sites) >= 0).all()

    @pytest.mark.parametrize("make", [*STEM, graphene])
    def test_is_saturated_where_residue_hides_it(self, make):
        phantom = make((500, 500), flaws=Flaws(residue=4), noise=0.05, seed=1)
        hidden = phantom.domains == -1
        assert 0.001 < hidden.mean() < 0.1
        assert (phantom.clean[hidden] == 1).all()
        assert phantom.image[hidden].mean() > 0.97
        assert np.median(phantom.image) < 0.5

    def test_keeps_other_flaws_as_they_are_when_one_is_switched_on(self):
        vacuum = Flaws(vacuum=0.2)
        more = Flaws(vacuum=0.2, thickness=0.2, dead_rows=2, hot_pixels=5)
        first, second = (bfo(SMALL, flaws=flaws) for flaws in (vacuum, more))
        np.testing.assert_array_equal(first.domains, second.domains)
        np.testing.assert_array_equal(first.sites, second.sites)

    def test_has_the_same_flaws_with_other_noise(self):
        first, second = (bfo(SMALL, flaws=ALL, noise_seed=k) for k in (1, 2))
        for name in ("domains", "sites", "faulty"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
        assert (first.image != second.image).mean() > 0.5


def test_a_single_crystal_with_every_flaw_stays_one_domain():
    phantom = perovskite(flaws=ALL, seed=2)
    assert set(np.unique(phantom.domains)) == {-1, 0}
    assert phantom.names == ("perovskite",)
    assert phantom.image.min() == 0
    assert phantom.image.max() == 1


def test_rotation_turns_the_domains_with_the_lattice():
    straight, turned = (bfo((400, 400), flaws=Flaws(rotation=r), **QUIET) for r in (0.0, 90.0))
    np.testing.assert_array_equal(turned.domains, np.rot90(straight.domains, -1))
    # Columns differ in brightness, at random.
    images = [turned.clean.ravel(), np.rot90(straight.clean, -1).ravel()]
    assert np.corrcoef(images)[0, 1] > 0.98


def test_pixels_twice_as_high_as_wide_halve_the_distance_of_rows():
    sites = perovskite(flaws=Flaws(pixel_aspect=2.0), **QUIET).sites
    rows, cols = (np.diff(np.unique(part.round(6))) for part in sites.T)
    np.testing.assert_allclose(rows, 6.3, atol=1e-5)
    np.testing.assert_allclose(cols, 12.6, atol=1e-5)


def test_thickness_changes_the_contrast_by_as_much_as_asked():
    even, uneven = (perovskite(flaws=Flaws(thickness=t), dose=None, **QUIET) for t in (0.0, 0.4))
    heights = [at(p.clean, p.sites[:-1]) for p in (even, uneven)]
    # Each image has its own scale; where the specimen is thinnest, 0.6 of 1.4 is left.
    ratio = (heights[1] + 0.15) / (heights[0] + 0.15)
    assert ratio.min() / ratio.max() == pytest.approx(0.6 / 1.4, rel=0.15)


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ({"rotation": 200.0}, r"rotation=200 must lie in \[-180, 180\]"),
        ({"strain": float("nan")}, r"strain=nan must lie in \[0, 0.1\]"),
        ({"thickness": 1.0}, r"thickness=1 must lie in \[0, 0.9\]"),
        ({"vacuum": 0.6}, r"vacuum=0.6 must lie in \[0, 0.5\]"),
        ({"pixel_aspect": 0.0}, r"pixel_aspect=0 must lie in \[0.5, 2\]"),
        ({"residue": -1}, "residue=-1 must be at least 0"),
        ({"hot_pixels": -1}, "hot_pixels=-1 must be at least 0"),
    ],
)
def test_refuses_what_is_out_of_its_range(argument, problem):
    with pytest.raises(ValueError, match=problem):
        Flaws(**argument)


def test_refuses_half_a_row_and_an_image_of_faults():
    with pytest.raises(TypeError, match="dead_rows"):
        Flaws(dead_rows=0.5)
    with pytest.raises(ValueError, match=r"dead_rows=30 and hot_rows=4 .* 330 rows; reduce"):
        bfo(SMALL, flaws=Flaws(dead_rows=30, hot_rows=4))
    with pytest.raises(ValueError, match="hot_pixels=20000 are more than a tenth"):
        bfo(SMALL, flaws=Flaws(hot_pixels=20000))
    with pytest.raises(TypeError, match="Flaws"):
        bfo(SMALL, flaws="vacuum")
    with pytest.raises(ValueError, match="vacuum=0 and thickness=0: a scan over a surface"):
        graphene(SMALL, flaws=Flaws(vacuum=0.1))
