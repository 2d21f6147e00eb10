"""What training has been like, epoch by epoch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

__all__ = ["History"]


@dataclass(frozen=True, eq=False, repr=False)
class History:
    """Means over each epoch of the objective's parts, one value an epoch.

    Attributes
    ----------
    epoch
        Epochs trained, from 1.
    loss, neg_elbo, reconstruction, kl, floor, psi, beta
        As in `ObjectiveParts`, per patch.
    seconds
        Duration of the epoch.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> image = np.random.default_rng(0).random((96, 96))
    >>> grid = phyvae.PatchGrid(image, size=12, step=12)
    >>> trainer = phyvae.PhysicsTrainer(phyvae.ShiftVAE(grid.patch_shape, seed=0), seed=0)
    >>> history = trainer.fit(grid, epochs=2, progress=False)
    >>> history.epoch, bool((history.neg_elbo > history.reconstruction).all())
    (array([1., 2.]), True)
    """

    epoch: Float[np.ndarray, " epochs"]
    loss: Float[np.ndarray, " epochs"]
    neg_elbo: Float[np.ndarray, " epochs"]
    reconstruction: Float[np.ndarray, " epochs"]
    kl: Float[np.ndarray, " epochs"]
    floor: Float[np.ndarray, " epochs"]
    psi: Float[np.ndarray, " epochs"]
    beta: Float[np.ndarray, " epochs"]
    seconds: Float[np.ndarray, " epochs"]

    def __len__(self) -> int:
        return len(self.epoch)

    def __repr__(self) -> str:
        losses = f", loss {self.loss[0]:.4g} to {self.loss[-1]:.4g}" if len(self) else ""
        return f"History({len(self)} epochs{losses})"
