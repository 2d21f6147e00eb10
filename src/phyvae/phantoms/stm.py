"""Scanning tunnelling microscope images of surfaces."""

import numpy as np

from .field import Array
from .flaws import Flaws
from .phantom import Phantom
from .simulated import SimulatedScan

__all__ = ["graphene"]


def graphene(
    shape: tuple[int, int] = (600, 600),
    lattice: float = 12.6,
    *,
    distortion: float = 0.0,
    background: float = 0.1,
    noise: float = 0.15,
    seed: int = 0,
    noise_seed: int | None = None,
    flaws: Flaws | None = None,
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
    distortion, seed, noise_seed, flaws
        As for `bfo`. A surface has no vacuum and no thickness in `flaws`.
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
    >>> import phyvae
    >>> phyvae.phantoms.graphene(seed=0).names
    ('pristine', 'superlattice', 'stripes', 'vacancy')
    """
    if flaws is not None and (flaws.vacuum or flaws.thickness):
        raise ValueError(
            f"flaws={flaws} must have vacuum=0 and thickness=0: a scan over a surface shows "
            "neither."
        )
    scan = SimulatedScan(
        shape, lattice, distortion, background, None, noise, seed, noise_seed, flaws,
        constant=0.246, fewest=24,
    )  # fmt: skip
    extent = np.array(scan.extent)
    centre, radius, core = extent / 2, 0.15 * min(extent), 2 * lattice
    axis, flip = scan.rng.uniform(0, np.pi / 3), scan.rng.choice([-1, 1])
    count = int(sum(extent) / lattice)
    steps = np.stack(np.meshgrid(*[np.arange(-count, count + 1)] * 2), axis=-1).reshape(-1, 2)
    sites = centre + lattice * steps @ _directions(axis, 6)[:2]
    in_phase = sites[(steps[:, 0] - steps[:, 1]) % 3 == 0]  # where all three K waves peak

    def group(corner: int) -> Array:
        """Three vacancies on sites that agree on the phase of the superlattice."""
        place = extent * (0.5 + corner * np.array([0.2, 0.22 * flip]))
        wanted = place + 0.6 * radius * _directions(scan.rng.uniform(0, 2 * np.pi), 3)
        chosen = [np.hypot(*(in_phase - site).T).argmin() for site in wanted]
        return np.asarray(in_phase[chosen])

    around, striped = group(-1), group(1)
    vacancies = np.concatenate([around, striped])

    def domain(y: Array, x: Array) -> Array:
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


def _directions(start: float, count: int) -> Array:
    """Unit vectors (count, 2), (y, x), evenly around the circle from the angle `start`, rad."""
    angles = start + 2 * np.pi * np.arange(count) / count
    return np.stack([np.sin(angles), np.cos(angles)], axis=1)


def _waves(y: Array, x: Array, vectors: Array, origin: Array, weights: tuple[float, ...]) -> Array:
    """Cosines with wave vectors (n, 2), rad/px, that all peak at the origin; their sum."""
    along = np.tensordot(vectors, np.stack([y - origin[0], x - origin[1]]), 1)
    return np.tensordot(np.array(weights), np.cos(along), 1)


def _distance(y: Array, x: Array, points: Array) -> Array:
    """Distance to the nearest of the points (n, 2), px."""
    return np.asarray(np.min([np.hypot(y - v, x - w) for v, w in points], axis=0))
