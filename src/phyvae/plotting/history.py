"""Training curves."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._checks import brief
from .arguments import as_width
from .panels import COLOURS, Panels, finished, new_panels

__all__ = ["plot_history"]

CURVES = {  # attribute of History: title, unit
    "neg_elbo": ("$-$ELBO", "nats per patch"),
    "reconstruction": ("reconstruction", "nats per patch"),
    "kl": ("KL divergence", "nats per patch"),
    "psi": (r"physics loss $\Psi$", "dimensionless"),
    "beta": (r"KL weight $\beta$", "dimensionless"),
}


def plot_history(history: Any, *, width: float = 7.0) -> Panels:
    """Plot -ELBO, reconstruction, KL divergence, physics loss and KL weight against the epoch.

    Parameters
    ----------
    history
        The `History` of a training, or a mapping from name to `History`, compared in one figure
        with a legend. A training without physics has no curve of the physics loss. Different
        losses share its axis, so compare only the curves of one loss there.
    width
        Figure width, inches.

    Returns
    -------
    fig, axes
        One panel for each.

    Raises
    ------
    TypeError, ValueError
        If something is no `History`, or there is none.

    Examples
    --------
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(phyvae.phantoms.bfo(seed=0).image, size=24, step=24)
    >>> trainer = phyvae.PhysicsTrainer(
    ...     phyvae.ShiftVAE(grid.patch_shape, seed=0), phyvae.PhysicsObjective(phyvae.EdgeLoss())
    ... )
    >>> fig, axes = phyvae.plot_history(trainer.fit(grid, epochs=2))
    """
    named = history if isinstance(history, Mapping) else {"": history}
    if not named:
        raise ValueError("history is empty; pass a History, or a mapping from name to History.")
    for name, run in named.items():
        if not all(hasattr(run, attribute) for attribute in ("epoch", *CURVES)):
            what = f"history[{name!r}]" if isinstance(history, Mapping) else "history"
            cure = "trainer.history" if hasattr(run, "history") else "the result of trainer.fit"
            raise TypeError(f"{what}={brief(run)} must be a History: {cure}.")
    fig, axes = new_panels(*((2, 3) if as_width(width) > 5 else (3, 2)), width)
    *used, spare = axes.flat
    for ax, (attribute, (title, unit)) in zip(used, CURVES.items(), strict=True):
        for k, (name, run) in enumerate(named.items()):
            values = getattr(run, attribute)
            if attribute == "psi" and not values.any():
                values = np.full_like(values, np.nan)  # no physics, so no curve at zero
            ax.plot(
                run.epoch,
                values,
                color=COLOURS[k % len(COLOURS)],
                linestyle=("-", "--", "-.", ":")[k % 4],
                marker="o" if len(run.epoch) == 1 else "",
                linewidth=1.2,
                label=name,
            )
        ax.set(title=title, xlabel="epoch", ylabel=unit, box_aspect=0.75)
        ax.locator_params(axis="x", integer=True)
    spare.set_axis_off()
    if isinstance(history, Mapping):
        spare.legend(*used[0].get_legend_handles_labels(), loc="center", frameon=False)
    return finished(fig), np.array(used)
