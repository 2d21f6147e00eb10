"""Maps without training."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import phyvae
from phyvae.models.untrained import KINDS

NET = 2 * np.pi / 12.6


def nets(height, width, phase=(0.0, 0.0), offset=0.0):
    """Two square nets, side by side: one has a second atom in its cells."""
    y, x = np.indices((height, width)) + np.array(phase)[:, None, None]
    first = np.cos(NET * y) + np.cos(NET * x)
    second = np.cos(NET * (y + x)) + np.cos(NET * (y - x))
    image = np.where(np.arange(width) < width / 2, first, first + second)
    return image + np.random.default_rng(0).normal(0, 0.3, image.shape) + offset


def domains_of(maps, grid):
    found = phyvae.segment(maps, 2)
    return phyvae.adjusted_rand_index(found, grid.centers[..., 1] > grid.image.shape[1] / 2)


@pytest.mark.parametrize("kind", KINDS[:3])
class TestDescriptors:
    @pytest.mark.parametrize("size", [(24, 24), (20, 31)])
    def test_separate_two_lattices(self, kind, size):
        grid = phyvae.PatchGrid(nets(180, 240), size, 12)
        maps = phyvae.quick_maps(grid, kind)
        assert maps.shape == (2, *grid.shape)
        assert maps.dtype == torch.float32
        assert domains_of(maps[:1], grid) > 0.75  # walls are much of a small map

    def test_do_not_follow_the_lattices_phase(self, kind):
        image = nets(180, 600)[:, :300]  # one lattice
        grid = phyvae.PatchGrid(image, 24, 7, percentiles=None)
        phase = np.exp(1j * NET * grid.centers[1:-1, 1:-1])
        waves = np.stack([phase.real, phase.imag, (phase**2).real, (phase**2).imag])
        waves = waves.transpose(1, 2, 0, 3).reshape(-1, 8)

        def explained(kind):
            """Variance that the lattice's phase explains: of each map, and its share."""
            values = phyvae.quick_maps(grid, kind).numpy()[:, 1:-1, 1:-1].reshape(2, -1).T
            values = values - values.mean(0)
            by_phase = waves @ np.linalg.lstsq(waves, values, rcond=None)[0]
            return by_phase.var(0), by_phase.var(0) / values.var(0)

        of_patches, share = explained("pca")
        assert share.min() > 0.9
        if kind == "registered":  # in the units of patches; what is left is interpolation
            assert (explained(kind)[0] < 0.02 * of_patches).all()
        else:
            assert (explained(kind)[1] < 0.3).all()

    def test_do_not_depend_on_brightness(self, kind):
        first, second = (
            phyvae.quick_maps(
                phyvae.PatchGrid(nets(130, 160, offset=offset), 24, 12, percentiles=None), kind
            )
            for offset in (0.0, 5.0)
        )
        assert_allclose(first, second, atol=1e-3 * float(first.std()))

    def test_are_nan_where_there_is_no_patch(self, kind):
        image = nets(180, 240)
        inner = np.stack(np.mgrid[20:160:12, 20:220:12], axis=-1).reshape(-1, 2)
        sites = np.delete(inner, [40, 41, 60], axis=0)
        grid = phyvae.PatchGrid.at(image, sites, 24)
        maps = phyvae.quick_maps(grid, kind)
        assert torch.equal(maps.isnan().any(0), ~grid.mask)
        assert (~grid.mask).any()
        assert domains_of(maps[:1], grid) > 0.7


def test_the_autocorrelation_is_that_of_its_definition():
    from phyvae.models.untrained import _autocorrelations

    image = np.random.default_rng(0).random((60, 70)).astype(np.float32)
    found = _autocorrelations(image, np.array([[30.0, 33.0]]), (6, 8))[0]
    y, x = np.indices(image.shape)
    near = (np.abs(y - 30) <= round(2.5 * 0.42 * 6)) & (np.abs(x - 33) <= round(2.5 * 0.42 * 8))
    window = np.exp(-(((y - 30) / 0.42 / 6) ** 2 + ((x - 33) / 0.42 / 8) ** 2) / 2) * near
    values = (image - (image * window).sum() / window.sum()) * window
    scale = np.sqrt((values**2).sum() / (window**2).sum())
    expected = [
        (values * np.roll(values, (dy, dx), (0, 1))).sum() / scale
        for dy in range(7)
        for dx in range(-8, 9)
        if (dy > 0 or dx > 0) and (dy / 6) ** 2 + (dx / 8) ** 2 <= 1 + 1e-12
    ]
    assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_spectra_have_their_principal_components():
    cube = np.random.default_rng(0).random((8, 9, 30)).astype(np.float32)
    grid = phyvae.PatchGrid.from_spectra(cube, percentiles=None)
    flat = cube.reshape(72, 30).astype(np.float64)
    _, _, axes = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
    expected = ((flat - flat.mean(0)) @ axes[:3].T).T.reshape(3, 8, 9)
    found = phyvae.quick_maps(grid, "pca", 3).numpy()
    sign = np.sign((found * expected).sum((1, 2)))[:, None, None]
    assert_allclose(found, sign * expected, atol=1e-3)
    with pytest.raises(ValueError, match="kind='fourier' is for images; of spectra"):
        phyvae.quick_maps(grid, "fourier")


def test_sites_without_a_lattice_have_a_row_of_values():
    image = nets(180, 240)
    sites = np.random.default_rng(0).uniform(20, 160, (30, 2))
    grid = phyvae.PatchGrid.at(image, sites, 24, lattice=False)
    assert phyvae.quick_maps(grid).shape == (2, 1, 30)


def test_refuses_what_it_cannot_make():
    grid = phyvae.PatchGrid(nets(60, 60), 24, 12)
    with pytest.raises(ValueError, match="kind='wavelet' must be one of 'autocorrelation'"):
        phyvae.quick_maps(grid, "wavelet")
    with pytest.raises(ValueError, match="channels=17 exceeds what 16 patches"):
        phyvae.quick_maps(grid, channels=17)
    with pytest.raises(ValueError, match="channels=0 must be at least 1"):
        phyvae.quick_maps(grid, channels=0)
    with pytest.raises(TypeError, match="PatchGrid"):
        phyvae.quick_maps(nets(60, 60))
