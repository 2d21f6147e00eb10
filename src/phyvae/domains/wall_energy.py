"""Domains of least energy: the scatter of values within domains, and the length of the walls."""

import warnings
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import chi2
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from ..patches.neighbours import Neighbours
from .expansion import expanded, labelling_energy

__all__ = ["DomainMeans", "domain_means", "wall_energy_labels"]

Labels = Int[np.ndarray, " n"]
Values = Float[np.ndarray, "channels n"]
Points = Float[np.ndarray, "n channels"]
Means = Float[np.ndarray, "domains channels"]
Channels = Float[np.ndarray, " channels"]
_TENSION = 2.0  # cost of one cell's length of wall: a single cell needs a gain of 5.4 to stand out
_TAIL = 4.0  # far from a mean, costs grow as _TAIL log r²: of Student's t, 6 degrees of freedom
_EXACT = 1e-3  # least scatter of the values, in units of the broadest channel's deviation
_STARTED = 2_000  # cells that the starts are found with
_TRIED = 3  # rounds of means, scatter and labels, after which the starts are compared
_REVISED = 4  # times at most that the tension follows the labels
_ROUNDS = 10  # rounds at most; labels settle in three to five


class _Found(NamedTuple):
    """Labels and their energy."""

    energy: float
    labels: Labels


@dataclass(frozen=True, eq=False)
class DomainMeans:
    """Known domains, by which other values of the same channels are labelled.

    kinds: Label of each domain, ascending.
    means: Value of each domain in the weighted channels.
    scatter: That of all domains.
    weights: Weight of each channel.
    tension: Cost of one cell's length of wall.
    """

    kinds: Int[np.ndarray, " domains"]
    means: Means
    scatter: float
    weights: Channels
    tension: float

    def labels(self, values: Values, walls: Neighbours) -> Labels:
        """Return the labels that minimise the energy of values and walls; the domains are fixed.

        values: Values of the cells.
        walls: Pairs of neighbours among them, as for `wall_energy_labels`.
        """
        costs = _costs(_weighted(values, self.weights), self.means, self.scatter)
        tense = replace(walls, weights=self.tension * walls.weights)
        labels: np.ndarray = costs.argmin(axis=1)
        for _ in range(_ROUNDS):
            before, labels = labels, expanded(costs, labels, tense)
            if (labels == before).all():
                break
        named: np.ndarray = self.kinds[labels]
        return named


def domain_means(
    values: Values, labels: Labels, walls: Neighbours, signal: Channels
) -> DomainMeans:
    """Return the domains of labelled values; the arguments are those of `wall_energy_labels`."""
    weights = _channel_weights(signal)
    points = _weighted(values, weights)
    kinds, compact = np.unique(labels, return_inverse=True)
    scatter = np.inf
    for _ in range(_ROUNDS):
        means, scatter = _means(points, compact, scatter, float(weights.sum()))
    return DomainMeans(kinds, means, scatter, weights, _likely_tension(labels, walls))


def wall_energy_labels(
    values: Values, classes: int, walls: Neighbours, seed: int, signal: Channels
) -> Labels:
    r"""Return the labels that minimise the energy of values and walls.

    .. math:: E = \sum_i \tau \log\Big(1 + \frac{|z_i - \mu_{k_i}|^2}{2 \tau \sigma^2}\Big)
              + n d \log \sigma + \gamma L

    with the mean :math:`\mu_k` of each domain, one scatter :math:`\sigma` for all, and the length
    of walls :math:`L` in cells: domains of values distributed as Student's t. Near a mean that is
    least squares. Far from all, as at cells that a wall crosses, the costs of two domains
    differ by the ratio of the distances alone: a cell between two goes to the nearer, an outlier
    of all goes with its neighbours.

    values: Values of the cells.
    classes: Number of domains.
    walls: Pairs of neighbours among the cells, whose `weights` are lengths of wall in cells.
    seed: Seed of the clusters from which the search starts.
    signal: Share of each channel's variance that is signal, by which the channel counts, > 0.
    """
    weights = _channel_weights(signal)
    points = _weighted(values, weights)
    dimension = float(weights.sum())
    tense = replace(walls, weights=_TENSION * walls.weights)
    starts = _starts(points, classes, seed)
    tried = [_descended(points, start, classes, tense, dimension, _TRIED) for start in starts]
    labels = min(tried, key=lambda one: one.energy).labels
    tension = _TENSION
    for _ in range(_REVISED):
        tense = replace(walls, weights=tension * walls.weights)
        labels = _descended(points, labels, classes, tense, dimension, _ROUNDS).labels
        before, tension = tension, _likely_tension(labels, walls)
        if tension == before:
            break
    return labels


def _channel_weights(signal: Channels) -> Channels:
    return np.asarray(signal / signal.max())


def _weighted(values: Values, weights: Channels) -> Points:
    """Return points whose squared distances count each channel by its weight."""
    points: np.ndarray = (values * np.sqrt(weights)[:, None]).T
    return points


def _likely_tension(labels: Labels, walls: Neighbours) -> float:
    """Return the tension under which labels like these are likely, at most _TENSION.

    Where single cells of another domain are frequent, as among particles, walls count less. The
    likelihood is that of each label given its neighbours' (Besag 1975, pseudo-likelihood).
    """
    kinds = np.unique(labels)
    same = np.stack([_weighed(walls, labels == kind) for kind in kinds])
    own = same[np.searchsorted(kinds, labels), np.arange(walls.count)]
    tensions = _TENSION * np.linspace(0, 1, 21)
    likely = [(t * own - np.logaddexp.reduce(t * same, axis=0)).sum() for t in tensions]
    return float(tensions[np.argmax(likely)])


def _weighed(walls: Neighbours, there: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return for each cell the weight of its pairs with some of the cells."""
    ends = np.concatenate([walls.first, walls.second])
    others = np.concatenate([walls.second, walls.first])
    weights = np.concatenate([walls.weights, walls.weights]).astype(np.float64) * there[others]
    return np.asarray(np.bincount(ends, weights, walls.count).astype(np.float64))


def _starts(points: Points, classes: int, seed: int) -> list[Labels]:
    """Return labels to start from: clusters of all channels, of each alone, and of any shape."""
    # The restarts sample cells by their position in the list: sort it, so that only the values
    # matter and a flipped map has flipped labels.
    few = points[np.lexsort(points.T)][:: 1 + len(points) // _STARTED]
    low, high = np.percentile(few, [0.5, 99.5], axis=0)
    few, every = (np.clip(one, low, high) for one in (few, points))
    scale = np.where(high > low, few.std(axis=0), 1.0)
    few, every = few / scale, every / scale
    channels = range(points.shape[1] if points.shape[1] > 1 else 0)
    clusters = KMeans(classes, n_init=5, random_state=seed)
    tied = GaussianMixture(classes, covariance_type="tied", n_init=2, random_state=seed)
    # One thread: several wait for each other longer than they compute.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # a start need not converge
        starts = [clusters.fit(few[:, [c]]).predict(every[:, [c]]) for c in channels]
        return [*starts, *(one.fit(few).predict(every) for one in (clusters, tied))]


def _descended(
    points: Points, labels: Labels, classes: int, walls: Neighbours, dimension: float, rounds: int
) -> _Found:
    """Return what means, scatter and labels settle at, each found with the others fixed."""
    scatter = np.inf
    for _ in range(rounds):
        labels = np.unique(labels, return_inverse=True)[1]
        means, scatter = _means(points, labels, scatter, dimension)
        costs = _costs(points, means, scatter)
        before, labels = labels, expanded(costs, labels, walls)
        if (labels == before).all():
            break
    energy = labelling_energy(costs, labels, walls) + len(points) * dimension * np.log(scatter)
    return _Found(float(energy), labels)


def _means(
    points: Points, labels: Labels, scatter: float, dimension: float
) -> tuple[Means, float]:
    """Return the mean of each domain, weighted by the scatter so far, and the new scatter."""
    means = np.stack([_mean(points[labels == kind], scatter) for kind in range(labels.max() + 1)])
    squares = ((points - means[labels]) ** 2).sum(axis=1)
    least = _EXACT * float(points.std(axis=0).max())
    return means, max(float(np.sqrt(np.median(squares) / chi2.median(dimension))), least)


def _costs(points: Points, means: Means, scatter: float) -> Float[np.ndarray, "n domains"]:
    """Return the cost of each domain at each cell."""
    distances = ((points[:, None] - means) ** 2).sum(axis=2) / scatter**2
    costs: np.ndarray = _TAIL * np.log1p(distances / (2 * _TAIL))
    return costs


def _mean(values: Points, scatter: float) -> np.ndarray:
    """Return the mean of a domain, in which values count less, the farther they are."""
    mean: np.ndarray = np.median(values, axis=0)
    for _ in range(3):
        distances = ((values - mean) ** 2).sum(axis=1) / scatter**2
        weights = 1 / (1 + distances / (2 * _TAIL))
        mean = weights @ values / weights.sum()
    return mean
