"""The STM phantom: its lattice, superlattices and vacancies."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from bright_spots import QUIET, SMALL
from phyvae.phantoms import graphene


class TestGraphene:
    @staticmethod
    def strongest(phantom, label, wavelength):
        """Amplitude and wavelength of the strongest wave near one, deep inside a domain."""
        half = 36
        depth = distance_transform_edt(phantom.domains == label)
        depth[:half], depth[-half:], depth[:, :half], depth[:, -half:] = 0, 0, 0, 0
        row, col = np.unravel_index(depth.argmax(), depth.shape)
        box = phantom.clean[row - half : row + half, col - half : col + half]
        window = np.outer(np.hanning(2 * half), np.hanning(2 * half))
        spectrum = np.abs(np.fft.fft2((box - box.mean()) * window, (256, 256)))
        frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256))
        ring = np.abs(frequency * wavelength - 1) < 0.15
        return spectrum[ring].max(), 1 / frequency[ring][spectrum[ring].argmax()]

    @pytest.mark.parametrize("seed", range(3))
    def test_the_superlattice_is_present_only_where_labelled(self, seed):
        phantom = graphene(seed=seed, **QUIET)
        spacing = 3**0.5 / 2 * phantom.lattice
        for label in range(3):
            lattice, _ = self.strongest(phantom, label, spacing)
            wave, wavelength = self.strongest(phantom, label, 3**0.5 * spacing)
            if label == 0:
                assert wave < 0.1 * lattice
            else:
                assert wave > 0.3 * lattice
                assert wavelength == pytest.approx(3**0.5 * spacing, rel=0.04)

    def test_the_strongest_wave_is_the_lattice(self):
        phantom = graphene(**QUIET)
        spectrum = np.abs(np.fft.fft2(phantom.clean - phantom.clean.mean()))
        row, col = np.unravel_index(spectrum.argmax(), spectrum.shape)
        frequency = np.hypot(np.fft.fftfreq(600)[row], np.fft.fftfreq(600)[col])
        assert 1 / frequency == pytest.approx(12.6 * 3**0.5 / 2, rel=0.02)

    def test_vacancies_are_bright(self):
        phantom = graphene(**QUIET)
        core = phantom.clean[phantom.domains == 3]
        assert core.mean() > phantom.clean[phantom.domains == 0].mean() + 0.1

    def test_noise_runs_along_the_lines(self):
        phantom = graphene(SMALL)
        error = phantom.image - phantom.clean
        along = np.corrcoef(error[:, 1:].ravel(), error[:, :-1].ravel())[0, 1]
        across = np.corrcoef(error[1:].ravel(), error[:-1].ravel())[0, 1]
        assert along > 0.9
        assert abs(across) < 0.05
