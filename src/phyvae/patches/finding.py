"""Blob detection: sites of atoms, or other blobs, in an image."""

from typing import Any

import numpy as np
from jaxtyping import Float

from .._checks import as_choice, as_flag, as_nonnegative, as_number, as_positive
from ..scans.autocorrelation import summits
from ..scans.faults import faults_of
from ..scans.spacing import spacing_of

__all__ = ["find_sites"]


def find_sites(
    image: Any,
    spacing: float | None = None,
    *,
    dark: bool = False,
    method: str = "log",
    sigma: float | None = None,
    threshold: float = 0.3,
    min_distance: float | None = None,
) -> Float[np.ndarray, "n 2"]:
    r"""Return the centres of the blobs of an image, (y, x) in px, to a fraction of a pixel.

    scikit-image finds the blobs, as maxima of the Laplacian of the image smoothed by a Gaussian.
    A paraboloid through the 3 x 3 values around each maximum then refines its place.

    Parameters
    ----------
    image
        One scan, shape (height, width), any real dtype.
    spacing
        Distance of neighbouring blobs, px, > 0: all lengths follow from it. The default is
        `lattice_spacing`, which is that of planes: of a centred square lattice it is that of
        neighbouring columns, both kinds counted. To find one kind only, pass its own spacing and
        let `threshold` leave the weaker kind out.
    dark
        Find dark blobs in place of bright ones.
    method
        ``"log"``, the Laplacian of a Gaussian, or ``"dog"``, the difference of two Gaussians,
        which is faster and less exact.
    sigma
        Standard deviation of the Gaussian, px, > 0; best that of a blob. The default is 0.2
        spacings.
    threshold
        Weakest blob found, as a share of a strong one (95th percentile), 0 <= threshold < 1.
    min_distance
        Of two blobs that are closer, the weaker one is dropped, px, >= 0. The default is half the
        spacing.

    Returns
    -------
    sites
        Shape (n, 2), in reading order. Blobs at the border are found where their maximum lies in
        the image.

    Raises
    ------
    ValueError
        If no blob is found; if a number is out of its range; if the spacing is not given and the
        image shows no lattice.

    Notes
    -----
    On the phantom `bfo` with its noise, columns are found to about 0.1 px (root mean square).
    A blob leans to a close and bright neighbour, and so does its maximum.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.perovskite(seed=0)
    >>> sites = phyvae.find_sites(phantom.image)
    >>> grid = phyvae.PatchGrid.at(phantom.image, sites, size=24)
    """
    from scipy.ndimage import gaussian_laplace
    from skimage.feature import blob_dog, blob_log

    values = faults_of(image).repaired
    as_choice(method, "method", ("log", "dog"))
    sign = -1 if as_flag(dark, "dark") else 1
    side = min(values.shape)
    spacing = _spacing_of(values) if spacing is None else _length(spacing, "spacing", side)
    sigma = 0.2 * spacing if sigma is None else _length(sigma, "sigma", side)
    nearest = spacing / 2
    if min_distance is not None:
        nearest = as_nonnegative(min_distance, "min_distance", unit=" px")
    if not 0 <= as_number(threshold, "threshold") < 1:
        raise ValueError(
            f"threshold={threshold} must lie in [0, 1): the weakest blob as a share of a strong "
            "one."
        )

    values = sign * (values - values.mean()) / values.std()
    # One width, and no blob dropped for its overlap: of neighbours, that is decided below.
    one = {"min_sigma": sigma, "max_sigma": sigma, "threshold": 0.0, "overlap": 1.0}
    found = blob_log(values, num_sigma=1, **one) if method == "log" else blob_dog(values, **one)
    peaks = found[:, :2].astype(np.int64)
    response = -gaussian_laplace(values, sigma)
    strength = response[tuple(peaks.T)]
    peaks, strength = peaks[strength > 0], strength[strength > 0]
    if len(peaks):
        strong = strength >= threshold * np.percentile(strength, 95)
        peaks, strength = peaks[strong], strength[strong]
    if not len(peaks):
        raise ValueError(
            f"image shows no {'dark' if dark else 'bright'} blob of sigma={sigma:.3g} px; give "
            "spacing or sigma by hand, or dark=True."
        )
    sites, _ = summits(response, peaks, 0.5)
    sites = sites[_apart(sites, strength, nearest)]
    return np.asarray(sites[np.lexsort(np.round(sites, 6).T[::-1])])


def _apart(sites: np.ndarray, strength: np.ndarray, nearest: float) -> np.ndarray:
    """Return which sites are the strongest within a distance, the strongest choosing first."""
    from scipy.spatial import cKDTree

    tree, kept = cKDTree(sites), np.ones(len(sites), bool)
    for k in np.argsort(-strength, kind="stable"):
        if kept[k]:
            close = [j for j in tree.query_ball_point(sites[k], nearest) if j != k]
            kept[close] = False
    return kept


def _spacing_of(image: np.ndarray) -> float:
    try:
        return spacing_of(image)
    except ValueError as error:
        raise ValueError(
            "spacing=None: the image shows no period that blobs could have; give their distance "
            "in px, spacing=..."
        ) from error


def _length(value: object, name: str, side: int) -> float:
    length = as_positive(value, name, unit=" px")
    if length > side:  # a filter of many images' width would take memory without end
        raise ValueError(
            f"{name}={length:g} px must not exceed the image's shorter side, {side} px."
        )
    return length
