"""From a scan to its domains in one call."""

import numpy as np
import pytest

import phyvae
from phyvae.pipeline import finding


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(finding, "_STEPS", 4)
    monkeypatch.setattr(finding, "_STEPS_ALONE", 4)


class TestOneScan:
    def test_finds_the_domains(self, found, phantom):
        truth = found.grid.sample(phantom.domains)
        assert phyvae.adjusted_rand_index(found.labels, truth) > 0.9
        assert found.maps.shape == found.stds.shape == (len(found.signal), *found.grid.shape)
        assert found.shifts.shape == (2, *found.grid.shape)

    def test_every_choice_has_a_reason(self, found):
        names = {"size", "step", "reach", "physics", "w", "strength", "train", "seed", "classes"}
        assert names < set(found.settings)
        assert all(choice.reason for choice in found.settings.values())
        assert found.settings["train"] == (False, "given")

    def test_is_made_of_the_public_parts(self, found, phantom):
        suggested = phyvae.suggest(phantom.image)
        grid = suggested.grid()
        model = phyvae.ShiftVAE(grid.patch_shape, 2, dx_prior=suggested.dx_prior, seed=0)
        start = phyvae.align(model, grid, reach=suggested.reach, progress=False)
        count = start.latents
        evidence = phyvae.domain_evidence(model.latent_maps(grid)[:count], grid=grid)
        refined = phyvae.refine(model, grid, samples=4, progress=False)
        labels = phyvae.segment(
            refined.maps[:count], evidence.number, signal=refined.signal[:count]
        )
        np.testing.assert_array_equal(found.labels, labels)

    def test_trains_and_takes_a_number_by_hand(self, phantom, few_steps):
        found = phyvae.find_domains(phantom.image, classes=3, physics=None, progress=False)
        assert found.settings["classes"] == (3, "given")
        assert found.settings["physics"] == ("None", "given")
        assert any("classes=3 was asked for" in doubt for doubt in found.doubts)


@pytest.mark.slow
def test_a_slow_background_does_not_hide_the_domains():
    phantom = phyvae.phantoms.graphene((444, 444), noise=0.3, seed=11)
    found = phyvae.find_domains(phantom.image, progress=False)
    assert found.settings["flatten"].value
    assert found.classes >= 2
    truth = found.grid.sample(phantom.domains)
    assert phyvae.adjusted_rand_index(found.labels, truth) > 0.6


def test_an_image_without_a_lattice_is_answered():
    image = np.random.default_rng(0).random((120, 120))
    found = phyvae.find_domains(image, progress=False)
    assert found.classes == 0
    assert "no lattice" in found.answer
    assert "size=" in found.answer
    assert np.isfinite(found.maps).all()


def test_several_scans_have_one_model_and_one_set_of_labels(phantom, few_steps):
    parts = [phantom.image[:150], phantom.image[90:]]
    one, two = phyvae.find_domains(parts, progress=False)
    assert one.model is two.model
    truths = [phantom.domains[:150], phantom.domains[90:]]
    listed = [part.grid.sample(truth) for part, truth in zip((one, two), truths, strict=True)]
    labels = np.concatenate([one.labels.ravel(), two.labels.ravel()])
    truth = np.concatenate([truth.ravel() for truth in listed])
    assert phyvae.adjusted_rand_index(labels, truth) > 0.85


def test_a_spectrum_image(few_steps):
    _, x = np.mgrid[:12, :14]
    energy = np.linspace(-2, 2, 40)
    cube = np.exp(-((energy - np.where(x < 7, -0.5, 0.5)[..., None]) ** 2) * 3)
    cube = cube + 0.02 * np.random.default_rng(0).normal(size=cube.shape)
    scan = phyvae.Scan(cube.mean(-1), cube=cube)
    found = phyvae.find_domains(scan, classes=2, progress=False)
    assert found.labels.shape == (12, 14)
    assert found.shifts.shape == (1, 12, 14)


class TestSites:
    def test_on_a_lattice(self, few_steps):
        phantom = phyvae.phantoms.bfo((200, 200), seed=0)
        found = phyvae.find_domains(phantom.image, sites=phantom.sites, progress=False)
        assert not found.grid.is_raster
        assert found.labels.shape == found.grid.shape


class TestRefusals:
    def test_of_settings(self):
        image = np.random.default_rng(0).random((64, 64))
        for settings, words in (
            ({"classes": 0}, "at least 1"),
            ({"w": 2.0}, "w=2"),
        ):
            with pytest.raises((TypeError, ValueError), match=words):
                phyvae.find_domains(image, progress=False, **settings)

    def test_of_an_array_that_may_be_a_stack_or_spectra(self):
        with pytest.raises(ValueError, match="a stack or a spectrum image"):
            phyvae.find_domains(np.zeros((20, 20, 20)), progress=False)

    def test_of_an_image_of_8_px(self):
        with pytest.raises(ValueError, match="9 x 9"):
            phyvae.find_domains(np.random.default_rng(0).random((8, 8)), progress=False)
