"""A trained model on other scans: same patches, same intensities, same domains."""

import gc
import resource
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

import phyvae
from phyvae import Domains, Scan
from phyvae.phantoms import nio_lsmo
from phyvae.pipeline.applying import one_or_several
from small_domains import small_domains


@pytest.fixture(scope="module")
def small():
    return small_domains()


@pytest.fixture(scope="module")
def again(small):
    """The model on its own scan."""
    return small.apply(small.scan, progress=False)


class TestPatches:
    def test_they_are_those_of_training_and_intensities_mean_the_same(self, small, again):
        torch.testing.assert_close(again.grid.image, small.grid.image, rtol=0, atol=1e-6)
        assert again.grid.limits == small.grid.limits
        assert again.grid.shape == small.grid.shape
        assert again.model is small.model

    def test_another_shape_has_another_number_of_them(self, small):
        image = nio_lsmo((170, 180), seed=4).image
        again = small.apply(image, progress=False)
        assert again.labels.shape == again.grid.shape == (19, 20)
        assert (again.grid.patch_shape, again.grid.step) == ((24, 24), (8, 8))

    def test_what_is_no_specimen_has_no_domain(self, small):
        image = small.scan.image.copy()
        image[:60, :70] = np.nan
        again = small.apply(image, progress=False)
        assert (again.labels[:3, :3] == -1).all()
        assert (again.labels[8:, 8:] >= 0).all()

    def test_spectra(self):
        found = small_domains("spectra")
        again = found.apply(found.scan, progress=False)
        torch.testing.assert_close(again.grid.image, found.grid.image, rtol=0, atol=1e-6)
        assert again.labels.shape == found.labels.shape


class TestDoubts:
    def test_other_intensities(self, small, again):
        brighter = small.apply(2 * small.scan.image, progress=False)
        assert any("darker or brighter" in one for one in brighter.doubts)
        assert not any("darker or brighter" in one for one in again.doubts)

    def test_another_lattice(self, small):
        again = small.apply(nio_lsmo((160, 160), lattice=10.0, seed=0).image, progress=False)
        assert any("the lattice is another one: " in one for one in again.doubts)
        noise = np.random.default_rng(0).random((160, 160))
        again = small.apply(noise, progress=False)
        assert any("the lattice is another one: none" in one for one in again.doubts)
        assert not any("asked for" in one or "looked for" in one for one in again.doubts)

    def test_another_number_counted(self, small, again, monkeypatch):
        here = len(np.unique(again.labels[again.labels >= 0]))
        noise = np.random.default_rng(0).normal(size=(1, *small.grid.shape))
        wall = noise / 50 + np.arange(small.grid.shape[1]) // 10 % 2
        for number, maps in ((1, noise), (2, wall)):
            found = phyvae.domain_evidence(maps, 2)
            assert found.number == number
            monkeypatch.setattr("phyvae.pipeline.applying.evidence_of", lambda *_, f=found: f)
            doubts = small.apply(small.scan, progress=False).doubts
            words = f"there are {here}, and {number} counted in this scan: "
            assert any(words in one for one in doubts) == (number != here)


class TestRefusals:
    def test_another_pixel_size(self, small):
        calibrated = replace(small, scan=replace(small.scan, pixel_size=(0.1, 0.1)))
        other = replace(small.scan, pixel_size=(0.05, 0.05))
        with pytest.raises(ValueError, match=r"0.05 x 0.05 nm, but .* 0.1 x 0.1 nm"):
            calibrated.apply(other, progress=False)
        again = calibrated.apply(other, resample=True, progress=False)
        assert again.scan.image.shape == (80, 84)
        assert any("resampled" in one for one in again.doubts)

    def test_an_image_for_spectra_and_the_other_way_round(self, small):
        spectra = small_domains("spectra")
        with pytest.raises(
            ValueError, match=r"is an image, but the model .* spectra of 20 points"
        ):
            spectra.apply(small.scan, progress=False)
        with pytest.raises(ValueError, match=r"is spectra of 20 points, but .* an image"):
            small.apply(spectra.scan, progress=False)

    def test_sites_and_unanswered_results(self, small):
        with pytest.raises(ValueError, match="has patches at sites"):
            small_domains("sites").apply(small.scan)
        with pytest.raises(ValueError, match="has no domains; find_domains"):
            small_domains("unanswered").apply(small.scan)

    def test_a_flag_that_is_none(self, small, unchecked):
        with pytest.raises(TypeError, match="resample=1"):
            unchecked(Domains.apply, small, small.scan, resample=1, progress=False)


class TestSeveral:
    def test_results_come_one_by_one_and_are_those_of_single_scans(self, small, again):
        taken = []

        def frames():
            for scan in (small.scan, 1.01 * small.scan.image):
                taken.append(scan)
                yield scan

        results = small.apply(frames(), progress=False)
        assert taken == []
        np.testing.assert_array_equal(next(results).maps, again.maps)
        assert len(taken) == 1
        assert len([*results]) == 1

    def test_lists_iterators_and_stacks_are_several_scans(self, small, tmp_path):
        image = small.scan
        for several in ([image], (image,), iter([image])):
            assert not isinstance(one_or_several(several), Scan)
        assert one_or_several(image) is image
        np.save(tmp_path / "movie.npy", np.random.default_rng(0).random((3, 40, 60)))
        assert len(one_or_several(tmp_path / "movie.npy")) == 3
        with pytest.raises(ValueError, match=r"pass list\(scan\) for images"):
            small.apply(np.zeros((3, 60, 60)))

    @pytest.mark.slow
    def test_a_stack_takes_constant_memory(self, small):
        rng = np.random.default_rng(0)
        image = np.tile(small.scan.image, (1, 2))
        frames = (image + 0.01 * rng.normal(size=image.shape) for _ in range(30))
        held, peaks = [], []
        for result in small.apply(frames, progress=False):
            held.append(weakref.ref(result.grid))
            gc.collect()
            assert sum(one() is not None for one in held) <= 2
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        assert peaks[-1] - peaks[4] < 30, peaks  # MB


def like(found, image):
    """A scan of the pixel size of a result."""
    return replace(found.scan, image=image)


@pytest.mark.slow
class TestDomains:
    def test_its_own_scan_has_its_own_domains(self, found):
        again = found.apply(found.scan, progress=False)
        assert (again.labels == found.labels).mean() > 0.995
        np.testing.assert_allclose(again.maps, found.maps, atol=1e-5)

    def test_a_label_is_the_same_domain_in_another_scan(self, found, phantom):
        other = nio_lsmo((260, 240), seed=7)
        again = found.apply(like(found, other.image), progress=False)
        truth = again.grid.sample(other.domains)
        # Which domain is which follows from the first scan alone.
        same = (found.labels == found.grid.sample(phantom.domains)).mean() > 0.5
        assert (again.labels == (truth if same else 1 - truth)).mean() > 0.9

    def test_a_loaded_result_applies_as_the_saved_one(self, found, tmp_path):
        found.save(tmp_path / "scan.phyvae")
        loaded = phyvae.load_domains(tmp_path / "scan.phyvae")
        scan = like(found, nio_lsmo((200, 200), seed=3).image)
        one, other = (each.apply(scan, progress=False) for each in (found, loaded))
        np.testing.assert_array_equal(one.labels, other.labels)
        np.testing.assert_array_equal(one.maps, other.maps)

    def test_one_domain_of_two_is_found_alone(self, found, phantom):
        kind = np.bincount(found.labels[found.grid.sample(phantom.domains) == 0]).argmax()
        image = np.where(phantom.domains == 0, phantom.image, np.nan)
        again = found.apply(like(found, image), progress=False)
        assert (again.labels[again.labels >= 0] == kind).mean() > 0.9
