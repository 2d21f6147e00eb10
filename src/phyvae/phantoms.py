"""Atomically resolved images whose domains are known exactly.

One recipe makes all of them. The specimen is a function of position: which domain lies there, how
bright it is. A scan reads that function pixel by pixel; drift and line jitter say where each pixel
really looked. Image and truth are read at the same positions, so that the truth stays exact.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

__all__ = ["Phantom", "bfo", "graphene", "nio_lsmo", "perovskite"]

_Array = np.ndarray[Any, np.dtype[Any]]
_Domain = Callable[[_Array, _Array], _Array]  # (y, x) on the specimen, px -> label

_COLUMN_SIGMA = 0.14  # of a cell; fits to experimental images of perovskites gave 0.11 to 0.17
_COLUMN_SPREAD = 0.05  # relative standard deviation of the columns' brightness
_LINE_JITTER = 0.05  # of the drift


@dataclass(frozen=True, eq=False)
class Phantom:
    """An image and the truth about it.

    Attributes
    ----------
    image
        What the microscope recorded, shape (height, width), float32. Noise is added and never
        clipped; then the image is scaled so that its minimum is 0 and its maximum 1.
    clean
        The same without noise, on the scale of `image`: their difference is the noise.
    domains
        The domain in which each pixel looked, shape (height, width), 0 to ``len(names) - 1``.
    sites
        Unit cell origins as they appear in the image, shape (n, 2), (y, x) in px: centres for
        atom-centred patches. A columns of perovskites, all columns of NiO, maxima of graphene.
    lattice
        Lattice constant, px.
    names
        The domains' names, in the order of the labels.
    """

    image: Float[np.ndarray, "height width"]
    clean: Float[np.ndarray, "height width"]
    domains: Int[np.ndarray, "height width"]
    sites: Float[np.ndarray, "sites 2"]
    lattice: float
    names: tuple[str, ...]


def bfo(
    shape: tuple[int, int] = (600, 600),
    lattice: float = 12.6,
    *,
    displacement: float = 0.1,
    distortion: float = 0.0,
    background: float = 0.03,
    dose: float | None = 200.0,
    noise: float = 0.03,
    seed: int = 0,
) -> Phantom:
    r"""Image BiFeO3 on SrTiO3 (HAADF-STEM): a substrate and two ferroelectric variants.

    The film fills the right three quarters. A curved wall parts it into two variants, with Fe
    displaced along (-1, -1) and (1, 1) of the (y, x) plane. Columns are Gaussians of height
    :math:`\sum Z^{1.7}`: Fe is weak beside Bi, and the variants differ as little as they do in
    the microscope.

    Parameters
    ----------
    shape
        Height and width of the image, px; at least 12 lattice constants each.
    lattice
        Pseudo-cubic lattice constant, px, >= 4. Equal to the patch step (12.0, say), it centres
        every patch alike; the default lets steps of 12 px sample every phase of the lattice.
    displacement
        Length of the displacement of Fe, in lattice constants, 0 < displacement <= 0.25.
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
    Intensity close to Z^1.7: Krivanek et al. (2010), https://doi.org/10.1038/nature08879

    Examples
    --------
    >>> phantom = bfo(seed=0)
    >>> phantom.image.shape, phantom.names
    ((600, 600), ('substrate', 'variant up', 'variant down'))
    """
    if not 0 < displacement <= 0.25:
        raise ValueError(
            f"displacement={displacement} lattice constants must lie in (0, 0.25]; "
            "for a crystal of one phase use perovskite(...)."
        )
    scan = _Scan(shape, lattice, distortion, background, dose, noise, seed)
    start = scan.rng.uniform(0, 2 * np.pi)
    bend = scan.rng.uniform(0.1, 0.15) * shape[0]
    interface = (round(shape[1] / lattice / 4) - 0.25) * lattice - 0.5  # between two columns

    def domain(y: _Array, x: _Array) -> _Array:
        wall = shape[0] / 2 + bend * np.sin(start + 2 * np.pi * x / shape[1])
        return np.where(x < interface, 0, np.where(y < wall, 1, 2))

    a_sites = scan.square_net(lattice)
    b_sites = a_sites + lattice / 2
    a_domain, b_domain = domain(*a_sites.T), domain(*b_sites.T)
    fe_shift = np.array([0, -1, 1])[b_domain, None] * displacement * lattice / 2**0.5
    columns = [
        (a_sites, np.array([_z(38), _z(83), _z(83)])[a_domain] / _z(83)),
        (b_sites + fe_shift, np.array([_z(22, 8), _z(26, 8), _z(26, 8)])[b_domain] / _z(83)),
    ]
    names = ("substrate", "variant up", "variant down")
    return scan.haadf(columns, domain, (0.1, 0.15, 0.15), a_sites, names)


def nio_lsmo(
    shape: tuple[int, int] = (600, 600),
    lattice: float = 12.6,
    *,
    distortion: float = 0.0,
    background: float = 0.03,
    dose: float | None = 200.0,
    noise: float = 0.03,
    seed: int = 0,
) -> Phantom:
    """Image NiO beside La0.7Sr0.3MnO3 (HAADF-STEM, plan view): two phases, one sharp interface.

    Along [001], rock salt shows one kind of column on a square net of half its lattice constant
    (4.177 Å); the perovskite (3.87 Å) shows bright La/Sr and weaker Mn. The nets lie cube on
    cube and do not match. The interface is straight, tilted by up to 15 degrees.

    Parameters
    ----------
    shape, distortion, background, dose, noise, seed
        As for `bfo`, in units of a La/Sr column.
    lattice
        Lattice constant of the perovskite, px, >= 8: NiO's columns, 0.54 of it apart, must be
        resolved.

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
    >>> nio_lsmo(seed=0).names
    ('NiO', 'LSMO')
    """
    scan = _Scan(shape, lattice, distortion, background, dose, noise, seed, finest=8)
    tilt = np.deg2rad(scan.rng.uniform(-15, 15))
    centre = scan.rng.uniform(0.4, 0.6) * shape[1]

    def depth(y: _Array, x: _Array) -> _Array:
        """Distance into the perovskite, px."""
        return np.asarray((x - centre) * np.cos(tilt) + (y - shape[0] / 2) * np.sin(tilt))

    a_sites = scan.square_net(lattice)
    b_sites = a_sites + lattice / 2
    ni_sites = scan.square_net(lattice * 4.177 / 3.87 / 2)
    gap = 0.1 * lattice  # columns keep off the interface, so that no two of them merge
    a_sites, b_sites = (sites[depth(*sites.T) > gap] for sites in (a_sites, b_sites))
    ni_sites = ni_sites[depth(*ni_sites.T) < -gap]
    la_sr = 0.7 * _z(57) + 0.3 * _z(38)
    columns = [
        (a_sites, np.ones(len(a_sites))),
        (b_sites, np.full(len(b_sites), _z(25, 8) / la_sr)),
        # Mass per length counts: a repeat along the beam is 4.177 Å here, 3.87 Å there.
        (ni_sites, np.full(len(ni_sites), _z(28, 8) / la_sr * 3.87 / 4.177)),
    ]
    sites = np.concatenate([a_sites, ni_sites])
    return scan.haadf(
        columns, lambda y, x: np.where(depth(y, x) < 0, 0, 1), (0.1, 0.15), sites, ("NiO", "LSMO")
    )


def perovskite(
    shape: tuple[int, int] = (600, 600),
    lattice: float = 12.6,
    *,
    distortion: float = 0.0,
    background: float = 0.03,
    dose: float | None = 200.0,
    noise: float = 0.03,
    seed: int = 0,
) -> Phantom:
    """Image a single crystal of SrTiO3 (HAADF-STEM): the control, with no domain to find.

    Parameters
    ----------
    shape, lattice, distortion, background, dose, noise, seed
        As for `bfo`, in units of a Sr column.

    Returns
    -------
    Phantom
        One domain, 0 "perovskite".

    Examples
    --------
    >>> int(perovskite(seed=0).domains.max())
    0
    """
    scan = _Scan(shape, lattice, distortion, background, dose, noise, seed)
    sites = scan.square_net(lattice)
    ones = np.ones(len(sites))
    columns = [(sites, ones), (sites + lattice / 2, ones * _z(22, 8) / _z(38))]
    return scan.haadf(
        columns, lambda y, x: np.zeros(x.shape, np.int64), (0.15,), sites, ("perovskite",)
    )


def graphene(
    shape: tuple[int, int] = (600, 600),
    lattice: float = 12.6,
    *,
    distortion: float = 0.0,
    background: float = 0.1,
    noise: float = 0.15,
    seed: int = 0,
) -> Phantom:
    r"""Image graphite (STM): a hexagonal lattice, vacancies, superlattices around them.

    Waves :math:`\cos(\mathbf G \cdot \mathbf r)` make the lattice, uneven as a real tip makes
    them. Electrons that vacancies scatter between the valleys add waves with :math:`|\mathbf K| =
    |\mathbf G| / \sqrt 3`, turned by 30 degrees: all three around one group of vacancies (√3 ×
    √3 R30°), a single one around the other (stripes). At a distance :math:`d` from the nearest
    vacancy, :math:`2^{-(d/R)^4}` of their amplitude is left; the domain ends at :math:`d = R`,
    0.15 of the shorter side. A vacancy is three bright lobes; its domain is 2 lattice constants in
    radius.

    Parameters
    ----------
    shape
        Height and width of the image, px; at least 24 lattice constants each.
    lattice
        Lattice constant (0.246 nm), px, >= 4.
    distortion, seed
        As for `bfo`.
    background, noise
        As for `bfo`, in units of the height of the pristine lattice. The noise is correlated along
        the lines, as the feedback loop makes it. There is no dose: a tunnel current has no
        visible shot noise.

    Returns
    -------
    Phantom
        Domains 0 "pristine", 1 "superlattice", 2 "stripes", 3 "vacancy".

    References
    ----------
    √3 × √3 superlattices: Mizes & Foster (1989), https://doi.org/10.1126/science.244.4904.559
    The experiment: Biswas, Ziatdinov & Kalinin (2023), https://arxiv.org/abs/2302.04216. This is
    a likeness: none of its data is used.

    Examples
    --------
    >>> graphene(seed=0).names
    ('pristine', 'superlattice', 'stripes', 'vacancy')
    """
    scan = _Scan(shape, lattice, distortion, background, None, noise, seed, fewest=24)
    centre, radius, core = np.array(shape) / 2, 0.15 * min(shape), 2 * lattice
    axis, flip = scan.rng.uniform(0, np.pi / 3), scan.rng.choice([-1, 1])
    count = int(sum(shape) / lattice)
    steps = np.stack(np.meshgrid(*[np.arange(-count, count + 1)] * 2), axis=-1).reshape(-1, 2)
    sites = centre + lattice * steps @ _directions(axis, 6)[:2]
    in_phase = sites[(steps[:, 0] - steps[:, 1]) % 3 == 0]  # where all three K waves peak

    def group(corner: int) -> _Array:
        """Three vacancies on sites that agree on the phase of the superlattice."""
        place = np.array(shape) * (0.5 + corner * np.array([0.2, 0.22 * flip]))
        wanted = place + 0.6 * radius * _directions(scan.rng.uniform(0, 2 * np.pi), 3)
        chosen = [np.hypot(*(in_phase - site).T).argmin() for site in wanted]
        return np.asarray(in_phase[chosen])

    around, striped = group(-1), group(1)
    vacancies = np.concatenate([around, striped])

    def domain(y: _Array, x: _Array) -> _Array:
        ends = ((vacancies, core), (around, radius), (striped, radius))
        return np.select([_distance(y, x, points) < end for points, end in ends], [3, 1, 2])

    y, x = scan.positions
    g = 4 * np.pi / 3**0.5 / lattice * _directions(axis + np.pi / 6, 6)[:3]
    k = 4 * np.pi / 3 / lattice * _directions(axis, 3)
    signal = _waves(y, x, g, centre, (1.0, 0.5, 0.3)) / 3  # runs from -1.2 to 1.8
    for points, weights in ((around, (0.2, 0.2, 0.2)), (striped, (0.4, 0.0, 0.0))):
        fade = np.exp2(-((_distance(y, x, points) / radius) ** 4))
        signal += fade * _waves(y, x, k, centre, weights)
    for lobe in (vacancies[:, None] + 1.2 * lattice * _directions(axis, 3)).reshape(-1, 2):
        signal += 0.8 * np.exp(-((_distance(y, x, lobe[None]) / lattice / 0.7) ** 2))
    names = ("pristine", "superlattice", "stripes", "vacancy")
    return scan.record(signal, domain, sites, names, smear=0.2 * lattice)


class _Scan:
    """One scan: where its pixels look, what disturbs it, the random numbers of both."""

    def __init__(
        self,
        shape: tuple[int, int],
        lattice: float,
        distortion: float,
        background: float,
        dose: float | None,
        noise: float,
        seed: int,
        *,
        finest: int = 4,
        fewest: int = 12,
    ) -> None:
        if not finest <= lattice < np.inf:
            raise ValueError(
                f"lattice={lattice} px must be >= {finest} px, or columns merge; enlarge it."
            )
        if len(shape) != 2 or min(shape) < fewest * lattice:
            raise ValueError(
                f"shape={shape} px must be (height, width), each >= {fewest} lattice constants of "
                f"{lattice} px, or a domain has no room; enlarge shape or reduce lattice."
            )
        if not 0 <= distortion <= min(shape) / 10:
            raise ValueError(
                f"distortion={distortion} px must lie in [0, {min(shape) / 10:g}] px, a tenth of "
                "the shorter side, or the scan looks twice at one row; reduce it."
            )
        for name, value in (("background", background), ("noise", noise)):
            if not 0 <= value < np.inf:
                raise ValueError(f"{name}={value} must be finite and >= 0; 0 switches it off.")
        if dose is not None and not 0 < dose < np.inf:
            raise ValueError(
                f"dose={dose} electrons per pixel must be finite and > 0; "
                "None switches Poisson noise off."
            )
        self.shape, self.lattice, self.distortion = shape, float(lattice), distortion
        self.background, self.dose, self.noise = background, dose, noise
        self.rng = np.random.default_rng(seed)
        phase = np.arange(shape[0])[:, None] / shape[0] + self.rng.random(2)
        self.drift = distortion * np.sin(2 * np.pi * phase)  # (height, 2), px
        self.drift[:, 1] += self.rng.normal(0, _LINE_JITTER * distortion, shape[0])

    @property
    def positions(self) -> tuple[_Array, _Array]:
        """Where each pixel looks, (y, x) on the specimen, px, each (height, width)."""
        y, x = np.indices(self.shape)
        return y + self.drift[:, :1], x + self.drift[:, 1:]

    def appear(self, sites: _Array) -> _Array:
        """Map positions on the specimen (n, 2) to pixels (n, 2): the inverse of `positions`."""
        rows = np.arange(self.shape[0])
        y = sites[:, 0] - np.interp(sites[:, 0], rows + self.drift[:, 0], self.drift[:, 0])
        return np.stack([y, sites[:, 1] - np.interp(y, rows, self.drift[:, 1])], axis=1)

    def square_net(self, spacing: float) -> _Array:
        """Sites (n, 2) of a square net, one on the image's corner (-0.5), that covers the scan."""
        margin = int(self.distortion / spacing) + 2
        lines = [spacing * np.arange(-margin, n / spacing + margin) - 0.5 for n in self.shape]
        return np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 2)

    def haadf(
        self,
        columns: list[tuple[_Array, _Array]],
        domain: _Domain,
        pedestals: tuple[float, ...],
        sites: _Array,
        names: tuple[str, ...],
    ) -> Phantom:
        """Record Gaussian columns (positions (n, 2), heights (n,)) on a pedestal per domain."""
        y, x = self.positions
        sigma = _COLUMN_SIGMA * self.lattice
        places, heights = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        heights = heights * (1 + _COLUMN_SPREAD * self.rng.standard_normal(len(heights)))
        # Each column is drawn in its own window, wide enough for lines that jitter apart.
        half = int(4 * sigma + np.abs(np.diff(self.drift[:, 1])).max()) + 1
        window = np.arange(-half, half + 1)
        nearest = np.rint(self.appear(places)).astype(np.int64)
        row = nearest[:, 0, None, None] + window[:, None]
        col = nearest[:, 1, None, None] + window
        inside = (row >= 0) & (row < self.shape[0]) & (col >= 0) & (col < self.shape[1])
        pixel, owner = (row * self.shape[1] + col)[inside], np.nonzero(inside)[0]
        distance = np.hypot(y.flat[pixel] - places[owner, 0], x.flat[pixel] - places[owner, 1])
        peaks = heights[owner] * np.exp(-((distance / sigma) ** 2) / 2)
        signal = np.bincount(pixel, peaks, y.size).reshape(self.shape)
        return self.record(signal + np.array(pedestals)[domain(y, x)], domain, sites, names)

    def record(
        self,
        signal: _Array,
        domain: _Domain,
        sites: _Array,
        names: tuple[str, ...],
        smear: float = 0.0,
    ) -> Phantom:
        """Add contamination and noise (smeared along the lines, over `smear` px), then scale."""
        y, x = self.positions
        slow = np.zeros(self.shape)
        for _ in range(6):
            wave = 2 * np.pi * self.rng.uniform(-1.5, 1.5, 2) / self.shape
            slow += np.cos(wave[0] * y + wave[1] * x + self.rng.uniform(0, 2 * np.pi))
        signal = signal + self.background * (slow - slow.mean()) / slow.std()
        recorded = signal
        if self.dose is not None:
            recorded = self.rng.poisson(self.dose * np.maximum(signal, 0)) / self.dose
        grains = self.rng.standard_normal(self.shape)
        if smear:
            blur = np.exp(-2 * (np.pi * smear * np.fft.rfftfreq(self.shape[1])) ** 2)
            grains = np.fft.irfft(np.fft.rfft(grains) * blur, self.shape[1])
        recorded = recorded + self.noise * grains / grains.std()
        low, span = recorded.min(), np.ptp(recorded)
        pixels = self.appear(sites)
        seen = ((pixels >= 0) & (pixels <= np.array(self.shape) - 1)).all(axis=1)
        return Phantom(
            image=((recorded - low) / span).astype(np.float32),
            clean=((signal - low) / span).astype(np.float32),
            domains=domain(y, x),
            sites=pixels[seen],
            lattice=self.lattice,
            names=names,
        )


def _z(*atoms: int) -> float:
    """HAADF intensity of a column: Z^1.7, summed over its atoms."""
    return float(sum(z**1.7 for z in atoms))


def _directions(start: float, count: int) -> _Array:
    """Unit vectors (count, 2), (y, x), evenly around the circle from the angle `start`, rad."""
    angles = start + 2 * np.pi * np.arange(count) / count
    return np.stack([np.sin(angles), np.cos(angles)], axis=1)


def _waves(
    y: _Array, x: _Array, vectors: _Array, origin: _Array, weights: tuple[float, ...]
) -> _Array:
    """Cosines with wave vectors (n, 2), rad/px, that all peak at the origin; their sum."""
    along = np.tensordot(vectors, np.stack([y - origin[0], x - origin[1]]), 1)
    return np.tensordot(np.array(weights), np.cos(along), 1)


def _distance(y: _Array, x: _Array, points: _Array) -> _Array:
    """Distance to the nearest of the points (n, 2), px."""
    return np.asarray(np.min([np.hypot(y - v, x - w) for v, w in points], axis=0))
