"""Collapsed latent maps: noticed during training, and warned of once."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..compute import processes
from ..models import PatchModel, at_rest
from ..models.posterior import Posterior
from ..patches.grid import PatchGrid
from .state import TrainingState

__all__ = [
    "STANDS_OUT",
    "CollapseWatch",
    "CollapsedMapsWarning",
    "Watched",
    "advice_on",
    "signals",
]

STANDS_OUT = 0.5
"""Signal, 0 to 1, from which on a map counts as formed; see `Posterior.signal`."""
_GONE = 0.25  # signal below which a map that had formed has collapsed
_LOOKED_AT = 1024  # patches
_HALF_TIME = 1000  # steps; after fewer, no map need have formed
_AS_THE_PRIOR = 0.5  # nats per patch; with less KL divergence, latents are the prior's
_ADVICE = (
    "Domains segmented from them may be mostly noise. {}rain longer "
    "(1000 to 2500 steps are usual), pass a smaller lr or a larger batch_size, or check size and "
    "coordinate_scale of the patches against the lattice (phyvae.lattice_spacing). An image of "
    "one phase has no map."
)
_ADVICE_ON_CLASSES = (
    "Domains segmented from them may be mostly noise. Such a model often leaves its classes empty "
    "or undecided. Train longer, a new model with warmup=0, or several starts with other seeds; "
    "keep the one of lowest −ELBO at the last beta; of a jiVAE, start from a larger beta, which "
    "keeps classes open until they mean something, or weigh them apart: adapt(model, "
    "class_weight=...); of an ssiVAE, label more patches. An image of one phase has no map."
)
_FLATTENED = (
    "From here on they only lose. Pass a smaller lr or a larger batch_size to a new "
    "trainer; lr=None suits the batch. If that does not do, lower strength (or the weight of the "
    "physics), or let beta rise less."
)
_ON_THE_PRIOR = (
    "The posterior has collapsed onto the prior (KL {:.2g} nats per patch): neither content nor "
    "shift distinguishes patches. A Gaussian decoder may need a smaller decoder_sig. "
)


class CollapsedMapsWarning(UserWarning):
    """No latent map stands out of its own uncertainty: not yet, or no longer.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> import phyvae
    >>> noise = np.random.default_rng(0).random((96, 96))
    >>> grid = phyvae.PatchGrid(noise, size=12, step=12)
    >>> trainer = phyvae.PhysicsTrainer(phyvae.ShiftVAE(grid.patch_shape, seed=0), seed=0)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", phyvae.CollapsedMapsWarning)
    ...     try:
    ...         trainer.fit(grid, epochs=1, progress=False)
    ...     except phyvae.CollapsedMapsWarning as warning:
    ...         print(warning)
    The latent maps carry no signal yet: ...
    """


@dataclass(frozen=True)
class Watched:
    """A call of `fit`: its grids, its epochs, and the steps in each."""

    grids: Sequence[PatchGrid]
    epochs: int
    steps: int

    def is_due(self, epoch: int) -> bool:
        """Return whether the maps are looked at after this epoch: ten times in a call."""
        return epoch == self.epochs or epoch % max(1, self.epochs // 10) == 0

    def is_late(self, epoch: int) -> bool:
        """Return whether a map that will form should have begun to."""
        return 2 * epoch >= self.epochs and epoch * self.steps >= _HALF_TIME


class CollapseWatch:
    """Warns, once, of a model in training whose maps are noise, or become noise again."""

    def __init__(self) -> None:
        self._warned = False
        self._stood_out = 0  # epochs trained when a map was last seen to stand out

    def look(self, state: TrainingState, call: Watched, epoch: int) -> None:
        """Look at the maps of a part of the patches, after an epoch of a call, from 1."""
        if self._warned or processes.rank() > 0 or not call.is_due(epoch):
            return
        shares, done = signals(state.model, call.grids), state.epochs_done
        if max(shares) >= STANDS_OUT:
            self._stood_out = done
            return
        listed = ", ".join(f"{share:.1%}" for share in shares)
        if self._stood_out and max(shares) < _GONE:
            text = (
                f"The latent maps have collapsed: {listed} of their variance lies between patches "
                f"after {done} epochs, and at least half of one map's did after "
                f"{self._stood_out}. {_FLATTENED}"
            )
        elif epoch == call.epochs or (call.is_late(epoch) and not self._stood_out):
            kl = float(state.history(done - 1).kl[0])
            text = (
                f"The latent maps carry no signal yet: {listed} of their variance lies between "
                f"patches, after {done} epochs. "
                f"{_ON_THE_PRIOR.format(kl) if kl < _AS_THE_PRIOR else ''}"
                f"{advice_on(state.model, call.grids)}"
            )
        else:
            return
        self._warned = True
        warnings.warn(text, CollapsedMapsWarning, stacklevel=4)


@torch.no_grad()
def signals(model: PatchModel, grids: Sequence[PatchGrid]) -> list[float]:
    """Return the share of each map's variance that lies between patches, of a part of them."""
    rng, found = np.random.default_rng(0), []
    with at_rest(model):
        for grid in grids:
            count = max(1, min(grid.count, _LOOKED_AT) // len(grids))
            chosen = torch.from_numpy(rng.integers(grid.count, size=count))
            posterior = model.posterior(grid.data(grid.indices[chosen], model.like))
            found.append((posterior.mean, posterior.std))
    mean, std = (torch.cat(parts) for parts in zip(*found, strict=True))
    shares: list[float] = Posterior(mean, std).signal()[model.content].tolist()
    return shares


def advice_on(model: PatchModel, grids: Sequence[PatchGrid]) -> str:
    """Return the advice on maps of this model that carry no signal; align takes no stack."""
    start = "T" if any(grid.is_stack for grid in grids) else "Begin with phyvae.align, t"
    return _ADVICE.format(start) if model.classes is None else _ADVICE_ON_CLASSES
