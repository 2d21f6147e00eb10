"""Labels of least energy by expansions, each of them an exact minimum cut."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from ..patches.neighbours import Neighbours

__all__ = ["expanded", "labelling_energy"]

Labels = Int[np.ndarray, " n"]
Costs = Float[np.ndarray, "n labels"]
_UNIT = 1000  # capacities per unit of energy: the flow is one of integers


def labelling_energy(costs: Costs, labels: Labels, walls: Neighbours) -> float:
    """Return the costs of the cells' labels, and the weights of all pairs of unequal labels."""
    crossed = labels[walls.first] != labels[walls.second]
    return float(costs[np.arange(len(labels)), labels].sum() + walls.weights[crossed].sum())


def expanded(costs: Costs, labels: Labels, walls: Neighbours) -> Labels:
    """Return labels of less energy, or the same ones if no expansion lowers it.

    One after the other, each label is expanded once: an expansion lets any set of cells take the
    label; of all such sets, the minimum cut of a graph has the least energy.

    costs: Cost of each label at each cell.
    labels: Labels to begin with.
    walls: Pairs of neighbours, whose `weights` are the cost of unequal labels.

    Reference: Boykov, Veksler & Zabih (2001), https://doi.org/10.1109/34.969114
    """
    least = labelling_energy(costs, labels, walls)
    for label in range(costs.shape[1]):
        tried = np.where(_taken(costs, labels, walls, label), label, labels)
        energy = labelling_energy(costs, tried, walls)
        if energy < least - 1 / _UNIT:
            labels, least = tried, energy
    return labels


def _taken(costs: Costs, labels: Labels, walls: Neighbours, label: int) -> Bool[np.ndarray, " n"]:
    """Return which cells take a label in the expansion of least energy."""
    first, second, count = walls.first, walls.second, len(labels)
    # Cost of a pair if neither of the two takes the label, if only the second or first does.
    neither = walls.weights * (labels[first] != labels[second])
    one, other = (walls.weights * (labels[end] != label) for end in (first, second))
    # As the cost of taking the label for each cell by itself, and a cost of the pair, >= 0, if
    # one of the two takes it alone, whichever: much less flow than if only one of them paid.
    alone = costs[:, label] - costs[np.arange(count), labels]
    alone += np.bincount(first, (other - neither - one) / 2, count)
    alone += np.bincount(second, (one - neither - other) / 2, count)
    paired = (one + other - neither) / 2
    # A cell that the cut leaves with the source keeps its label.
    source, sink = count, count + 1
    takes, keeps = (np.flatnonzero(sign * alone > 0) for sign in (-1, 1))
    # The solver takes indices and capacities of 32 bits only.
    start = np.concatenate([np.full(len(keeps), source), takes, first, second]).astype(np.int32)
    end = np.concatenate([keeps, np.full(len(takes), sink), second, first]).astype(np.int32)
    capacity = np.concatenate([alone[keeps], -alone[takes], paired, paired])
    whole = np.round(_UNIT * capacity).astype(np.int32)
    graph = coo_array((whole, (start, end)), shape=(count + 2, count + 2)).tocsr()
    rest = graph - maximum_flow(graph, source, sink).flow
    rest.data[rest.data < 0] = 0
    rest.eliminate_zeros()
    taken = np.ones(count + 2, dtype=bool)
    taken[breadth_first_order(rest, source, return_predecessors=False)] = False
    return taken[:count]
