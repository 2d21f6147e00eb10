"""The whole way: `phyvae.find_domains` with no argument, scored on the patches it chose."""

import numpy as np

import phyvae

from .data import Data

__all__ = ["whole_way"]


def whole_way(data: Data, seed: int, train: bool = True) -> dict[str, float | None]:
    """Return the scores of its labels, and of its maps with the true number of domains given."""
    found = phyvae.find_domains(data.recorded, train=train, seed=seed, progress=False)
    if found.problem:
        return {"own": None, "ours": 0.0, "free": 0.0, "counted": 0.0}
    given = phyvae.segment(
        found.maps, data.classes, mask=found.grid.mask, graph=found.grid.graph,
        signal=found.signal,
    )  # fmt: skip
    agree = [_agreement(found, one, data) for one in (given, found.labels)]
    return {"own": None, "ours": agree[0], "free": agree[1], "counted": float(found.classes)}


def _agreement(found: phyvae.Domains, labels: np.ndarray, data: Data) -> float:
    """Return the adjusted Rand index of the labels of its own patches."""
    truth = found.grid.sample(data.domains)
    shown = (truth >= 0) & (labels >= 0)
    return phyvae.adjusted_rand_index(labels[shown], truth[shown])
