"""Annular dark-field STEM images of crystals: columns brighter with the atomic number."""

from collections.abc import Callable

import numpy as np

from .._checks import as_number
from .field import Array, rotated
from .flaws import Flaws
from .phantom import Phantom
from .simulated import SimulatedScan

__all__ = ["bfo", "nio_lsmo", "perovskite"]


def bfo(
    shape: tuple[int, int] = (600, 600),
    lattice: float = 12.6,
    *,
    displacement: float = 0.15,
    wall: float = 0.5,
    exponent: float = 0.8,
    column: float = 0.18,
    distortion: float = 0.0,
    background: float = 0.01,
    dose: float | None = 500.0,
    noise: float = 0.02,
    seed: int = 0,
    noise_seed: int | None = None,
    flaws: Flaws | None = None,
) -> Phantom:
    r"""Image BiFeO3 on SrTiO3 (ADF-STEM): a substrate and two ferroelectric variants.

    The film fills the right three quarters. A curved wall parts it into two variants, with Fe
    displaced along (-1, -1) and (1, 1) of the (y, x) plane. Columns are Gaussians of height
    :math:`\sum Z^n`, summed over the column's atoms.

    Parameters
    ----------
    shape
        Height and width of the image, px; at least 12 lattice constants each.
    lattice
        Pseudo-cubic lattice constant, px, >= 4. Equal to the patch step (such as 12.0), it centres
        every patch alike; the default lets steps of 12 px sample every phase of the lattice.
    displacement
        Length of the displacement of Fe, in lattice constants, 0 < displacement <= 0.25.
    wall
        Height at which the wall between the variants lies on average, in image heights from the
        top, 0.2 <= wall <= 0.8. Nothing else of the specimen depends on it: with one `seed`, and a
        `noise_seed` per frame, it moves the wall through a time series.
    exponent
        Power n of the atomic number Z in a column's intensity, 0 < n <= 2. The default, 0.8, is
        chosen so that Fe is half as bright as Bi and its displacement can be seen by eye; HAADF is
        1.7, in which Fe almost vanishes next to Bi.
    column
        Standard deviation of a column's Gaussian, in lattice constants, 0 < column <= 0.3. Fits
        to experimental images of perovskites gave 0.11 to 0.17.
    distortion
        Largest drift of the scan in y and in x, px, at most a tenth of the shorter side. Lines
        jitter along x by a twentieth of it (standard deviation). The truth is distorted alike.
    background
        Contamination, a slow change of brightness: standard deviation in units of a Bi column.
    dose
        Electrons per pixel on a Bi column (Poisson noise), > 0, or None for no Poisson noise.
    noise
        Gaussian noise of the detector: standard deviation in units of a Bi column, >= 0.
    seed
        Seed of all that is random. NumPy's global generator is neither read nor changed.
    noise_seed
        Seed of the noise alone: another number scans the same specimen again, with the same drift
        and jitter. ``None`` draws the noise from `seed` too.
    flaws
        Imperfections of specimen and recording, see `Flaws`; the default has none.

    Returns
    -------
    Phantom
        Domains 0 "substrate", 1 "variant up" (Fe towards smaller y and x), 2 "variant down".

    Raises
    ------
    ValueError
        If an argument is out of its range.

    References
    ----------
    The experiment: Biswas, Ziatdinov & Kalinin (2023), https://arxiv.org/abs/2302.04216. This is
    a likeness: none of its data is used.
    Intensity close to Z^1.7 in HAADF: Krivanek et al. (2010), https://doi.org/10.1038/nature08879

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo(seed=0)
    >>> phantom.image.shape, phantom.names
    ((600, 600), ('substrate', 'variant up', 'variant down'))
    """
    if not 0 < as_number(displacement, "displacement") <= 0.25:
        raise ValueError(
            f"displacement={displacement} lattice constants must lie in (0, 0.25]; "
            "for a crystal of one phase use perovskite(...)."
        )
    if not 0.2 <= as_number(wall, "wall") <= 0.8:
        raise ValueError(
            f"wall={wall} image heights must lie in [0.2, 0.8], or the wall, which is curved, "
            "leaves the image."
        )
    _check_columns(exponent, column)
    scan = SimulatedScan(
        shape, lattice, distortion, background, dose, noise, seed, noise_seed, flaws,
        constant=0.396,
    )  # fmt: skip
    start = scan.rng.uniform(0, 2 * np.pi)
    height, width = scan.extent
    bend = scan.rng.uniform(0.1, 0.15) * height
    interface = (round(width / lattice / 4) - 0.25) * lattice - 0.5  # between two columns

    def domain(y: Array, x: Array) -> Array:
        border = wall * height + bend * np.sin(start + 2 * np.pi * x / width)
        return np.where(x < interface, 0, np.where(y < border, 1, 2))

    a_sites = scan.square_net(lattice)
    b_sites = a_sites + lattice / 2
    a_domain, b_domain = domain(*a_sites.T), domain(*b_sites.T)
    fe_shift = np.array([0, -1, 1])[b_domain, None] * displacement * lattice / 2**0.5
    columns = [
        (
            a_sites,
            np.array([_z(exponent, 38), _z(exponent, 83), _z(exponent, 83)])[a_domain]
            / _z(exponent, 83),
        ),
        (
            b_sites + fe_shift,
            np.array([_z(exponent, 22, 8), _z(exponent, 26, 8), _z(exponent, 26, 8)])[b_domain]
            / _z(exponent, 83),
        ),
    ]
    names = ("substrate", "variant up", "variant down")
    return scan.stem(columns, domain, (0.1, 0.15, 0.15), column, a_sites, names)


def nio_lsmo(
    shape: tuple[int, int] = (600, 600),
    lattice: float = 12.6,
    *,
    exponent: float = 1.7,
    column: float = 0.14,
    distortion: float = 0.0,
    background: float = 0.03,
    dose: float | None = 200.0,
    noise: float = 0.03,
    seed: int = 0,
    noise_seed: int | None = None,
    flaws: Flaws | None = None,
) -> Phantom:
    """Image NiO next to La0.7Sr0.3MnO3 (ADF-STEM, plan view): two phases, one sharp interface.

    Along [001], rock salt shows one kind of column on a square net of half its lattice constant
    (4.177 Å); the perovskite (3.87 Å) shows bright La/Sr and weaker Mn. The nets lie cube on
    cube and do not match. The interface is straight, tilted by up to 15 degrees.

    Parameters
    ----------
    shape, column, distortion, background, dose, noise, seed, noise_seed, flaws
        As for `bfo`, in units of a La/Sr column.
    lattice
        Lattice constant of the perovskite, px, >= 8: NiO's columns, 0.54 of it apart, must be
        resolved.
    exponent
        As for `bfo`; the default, 1.7, is HAADF.

    Returns
    -------
    Phantom
        Domains 0 "NiO", 1 "LSMO".

    References
    ----------
    The experiment: Biswas, Ziatdinov & Kalinin (2023), https://arxiv.org/abs/2302.04216. This is
    a likeness: none of its data is used.

    Examples
    --------
    >>> import phyvae
    >>> phyvae.phantoms.nio_lsmo(seed=0).names
    ('NiO', 'LSMO')
    """
    _check_columns(exponent, column)
    scan = SimulatedScan(
        shape, lattice, distortion, background, dose, noise, seed, noise_seed, flaws,
        constant=0.387, finest=8,
    )  # fmt: skip
    depth = _beyond_a_line(scan, 15.0)  # into the perovskite
    a_sites = scan.square_net(lattice)
    b_sites = a_sites + lattice / 2
    ni_sites = scan.square_net(lattice * 4.177 / 3.87 / 2)
    gap = 0.1 * lattice  # columns keep off the interface, so that no two of them merge
    a_sites, b_sites = (sites[depth(*sites.T) > gap] for sites in (a_sites, b_sites))
    ni_sites = ni_sites[depth(*ni_sites.T) < -gap]
    la_sr = 0.7 * _z(exponent, 57) + 0.3 * _z(exponent, 38)
    columns = [
        (a_sites, np.ones(len(a_sites))),
        (b_sites, np.full(len(b_sites), _z(exponent, 25, 8) / la_sr)),
        # Mass per length counts: a repeat along the beam is 4.177 Å here, 3.87 Å there.
        (ni_sites, np.full(len(ni_sites), _z(exponent, 28, 8) / la_sr * 3.87 / 4.177)),
    ]
    sites = np.concatenate([a_sites, ni_sites])
    return scan.stem(
        columns,
        lambda y, x: np.where(depth(y, x) < 0, 0, 1),
        (0.1, 0.15),
        column,
        sites,
        ("NiO", "LSMO"),
    )


def perovskite(
    shape: tuple[int, int] = (600, 600),
    lattice: float = 12.6,
    *,
    misorientation: float = 0.0,
    exponent: float = 1.7,
    column: float = 0.14,
    distortion: float = 0.0,
    background: float = 0.03,
    dose: float | None = 200.0,
    noise: float = 0.03,
    seed: int = 0,
    noise_seed: int | None = None,
    flaws: Flaws | None = None,
) -> Phantom:
    """Image SrTiO3 (ADF-STEM): a single crystal, with no domain to find, or two grains.

    Parameters
    ----------
    shape, lattice, column, distortion, background, dose, noise, seed, noise_seed, flaws
        As for `bfo`, in units of a Sr column.
    misorientation
        Angle by which a second grain is turned about [001], degrees, 0 to 45. The boundary is
        straight and runs near the image's centre; 0 is a single crystal.
    exponent
        As for `bfo`; the default, 1.7, is HAADF.

    Returns
    -------
    Phantom
        One domain, 0 "perovskite"; of two grains also 1 "turned perovskite".

    Examples
    --------
    >>> import phyvae
    >>> int(phyvae.phantoms.perovskite(seed=0).domains.max())
    0
    >>> phyvae.phantoms.perovskite(misorientation=20.0, seed=0).names
    ('perovskite', 'turned perovskite')
    """
    _check_columns(exponent, column)
    if not 0 <= as_number(misorientation, "misorientation") <= 45:
        raise ValueError(
            f"misorientation={misorientation} degrees must lie in [0, 45], as a square net "
            "repeats every 90 degrees and is symmetric; 0 is a single crystal."
        )
    scan = SimulatedScan(
        shape, lattice, distortion, background, dose, noise, seed, noise_seed, flaws,
        constant=0.3905,
    )  # fmt: skip
    titanium = _z(exponent, 22, 8) / _z(exponent, 38)

    def crystal(turn: float) -> tuple[Array, Array]:
        """Sites of Sr and of Ti of a grain."""
        corners = scan.square_net(lattice, turn)
        return corners, corners + rotated(np.full(2, lattice / 2), np.zeros(2), turn)

    if not misorientation:
        sr, ti = crystal(0.0)
        columns = [(sr, np.ones(len(sr))), (ti, np.full(len(ti), titanium))]
        return scan.stem(
            columns, lambda y, x: np.zeros(x.shape, np.int64), (0.15,), column, sr, ("perovskite",)
        )
    depth = _beyond_a_line(scan, 180.0)
    columns, sites = [], []
    for turn, side in ((0.0, -1), (misorientation, 1)):
        # Columns keep off the boundary, so that no two of them merge.
        sr, ti = (part[side * depth(*part.T) > 0.25 * lattice] for part in crystal(float(turn)))
        columns += [(sr, np.ones(len(sr))), (ti, np.full(len(ti), titanium))]
        sites.append(sr)
    return scan.stem(
        columns,
        lambda y, x: np.where(depth(y, x) < 0, 0, 1),
        (0.15, 0.15),
        column,
        np.concatenate(sites),
        ("perovskite", "turned perovskite"),
    )


def _beyond_a_line(scan: SimulatedScan, most: float) -> Callable[[Array, Array], Array]:
    """Return the distance, px, beyond a line near the centre, tilted by up to `most` degrees."""
    tilt = np.deg2rad(scan.rng.uniform(-most, most))
    height, width = scan.extent
    centre = scan.rng.uniform(0.4, 0.6) * width

    def distance(y: Array, x: Array) -> Array:
        return np.asarray((x - centre) * np.cos(tilt) + (y - height / 2) * np.sin(tilt))

    return distance


def _check_columns(exponent: float, column: float) -> None:
    if not 0 < as_number(exponent, "exponent") <= 2:
        raise ValueError(
            f"exponent={exponent} of the atomic number must lie in (0, 2]; 1.7 is HAADF, about 1 "
            "low-angle annular dark field."
        )
    if not 0 < as_number(column, "column") <= 0.3:
        raise ValueError(
            f"column={column} lattice constants must lie in (0, 0.3], or columns merge; it is the "
            "standard deviation of a column."
        )


def _z(exponent: float, *atoms: int) -> float:
    """Intensity of a column: Z to the power, summed over its atoms."""
    return float(sum(z**exponent for z in atoms))
