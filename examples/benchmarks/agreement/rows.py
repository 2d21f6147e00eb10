"""The rows of the benchmark: each method's maps, its published clustering, and its scores."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import phyvae

from .clustering import k_means, largest, mixture
from .columns import patches_at_columns, zernike_at_columns
from .components import fourier, nmf, pca, registered
from .data import Data
from .local_correlation import local_correlation
from .pretrained import pretrained
from .sliding_fourier import sliding_fourier
from .trained import aligned, atomai_rvae, pyroved_trainer, refined, trained
from .whole import whole_way

__all__ = ["ROWS", "Row"]

MOST = 6  # domains looked for where their number is not given


@dataclass(frozen=True)
class Row:
    """A method.

    Attributes
    ----------
    title
        As the tables write it.
    maps
        Maps (n, rows, cols) of data and a seed; of a model with their share of signal and the
        maps to count in; or the scores themselves.
    labels
        Labels of the maps, as published; None: those of `phyvae.segment`.
    cost
        "seconds", "minutes": which rows are run first.
    ours
        Whether it is a part of phyvae.
    """

    title: str
    maps: Callable[[Data, int], Any]
    labels: Callable[[np.ndarray, int, int], np.ndarray] | None = None
    cost: str = "seconds"
    ours: bool = False

    def scores(self, data: Data, seed: int) -> dict[str, float | None]:
        """Return the scores of one image and seed.

        "own" and "ours" are the adjusted Rand indices by the published clustering and by
        `phyvae.segment`, number of domains given; "counted" is the number of domains counted,
        "free" the index with it, "seconds" the time of a core for maps and labels.
        """
        begun = time.process_time()
        made = self.maps(data, seed)
        if not isinstance(made, dict):
            maps, signal, raw = made if isinstance(made, tuple) else (made, None, made)
            counted = phyvae.count_domains(raw, MOST)
            labels = [phyvae.segment(maps, k, signal=signal) for k in (data.classes, counted)]
            agree = [phyvae.adjusted_rand_index(one, data.truth) for one in labels]
            made = {"own": None, "ours": agree[0], "free": agree[1], "counted": float(counted)}
            if self.labels is not None:
                own = self.labels(maps, data.classes, seed)
                made["own"] = phyvae.adjusted_rand_index(own, data.truth)
        return made | {"seconds": time.process_time() - begun}


ROWS = {
    "pca": Row("PCA", pca, k_means),
    "nmf": Row("NMF", nmf, largest),
    "fourier": Row("Fourier magnitudes", fourier, k_means),
    "registered": Row("registered PCA", registered, k_means),
    "local correlation": Row("local correlation map", local_correlation, k_means),
    "sliding fourier": Row("sliding FFT + NMF", sliding_fourier, largest),
    "zernike": Row("Zernike moments at columns", zernike_at_columns, k_means),
    "columns": Row("PCA of patches at columns", patches_at_columns, mixture),
    "pretrained": Row("EfficientNet-Lite0, frozen", pretrained, k_means),
    "pyroved": Row("pyroVED sh-VAE, own trainer", pyroved_trainer, mixture, "minutes"),
    "rvae": Row("AtomAI rVAE", atomai_rvae, mixture, "minutes"),
    "start": Row("start (`align`)", aligned, None, "minutes", ours=True),
    "start refined": Row(
        "start, refined", partial(refined, physics="start"), None, "minutes", ours=True
    ),
    "sh-vae": Row("sh-VAE", partial(trained, physics="none"), None, "minutes", ours=True),
    "sl1": Row("SL1", partial(trained, physics="SL1"), None, "minutes", ours=True),
    "sl2": Row("SL2", partial(trained, physics="SL2"), None, "minutes", ours=True),
    "sh-vae refined": Row(
        "sh-VAE, refined", partial(refined, physics="none"), None, "minutes", ours=True
    ),
    "sl1 refined": Row(
        "SL1, refined", partial(refined, physics="SL1"), None, "minutes", ours=True
    ),
    "find_domains": Row("`find_domains`", whole_way, None, "minutes", ours=True),
    "find_domains start": Row(
        "`find_domains(train=False)`", partial(whole_way, train=False), None, "minutes", ours=True
    ),
}
