"""What `align` has found in an image, and whether noise would look the same."""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

__all__ = ["Alignment", "AlignmentWarning", "standing_out", "warn_of_noise"]

# Without any domain, neighbouring windows, some of which overlap, have given 1.0 to 1.3 times the
# autocorrelation of shuffled pairs (phantoms of one crystal, white noise); domains 2 to 6 times.
_ABOVE_CHANCE = 1.5
# White noise has given 1.0 to 1.35 times the share of shuffled pairs, lattices 2.0 to 10 times.
_AGREES = 1.6


class AlignmentWarning(UserWarning):
    """`align` has found no lattice in an image, or nothing in which domains differ.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> import phyvae
    >>> noise = np.random.default_rng(0).random((96, 96))
    >>> grid = phyvae.PatchGrid(noise, size=12, step=12)
    >>> model = phyvae.ShiftVAE(grid.patch_shape, seed=0)
    >>> few = {"steps": 20, "content_steps": 0, "decoder_steps": 0}  # for a quick example
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", phyvae.AlignmentWarning)
    ...     try:
    ...         phyvae.align(model, grid, **few, progress=False)
    ...     except phyvae.AlignmentWarning as warning:
    ...         print(warning)
    The shifts of ...: align has found no lattice. ...
    """


@dataclass(frozen=True, eq=False, repr=False)
class Alignment:
    """Result of `align`: agreement of the shifts, and the factors that the content starts from.

    Attributes
    ----------
    share : float
        The share of pairs of windows whose shifts agree with their displacement: the miss is an
        ellipse's radius at most, a third of `reach` along either axis. A quarter to a half is
        usual for a lattice, as jumps lie between the others.
    share_by_chance : float
        The same of shuffled pairs, each with the displacement of another one.
    autocorrelations : ndarray
        Correlation of each of the factors that the content starts from with its value in the
        neighbouring patch, in descending order. Empty without `content_steps`.
    autocorrelation_by_chance : float
        The largest of any factor of shuffled pairs, in 20 shuffles. NaN without `content_steps`.
    factors : ndarray
        Maps of the first factors over the grid, those that stand out and at least as many as the
        model has content latents, float32, shape (k, rows, cols); NaN where there is no patch.
        Over all windows of the image their mean is 0, their variance is 1 and their third moment
        is positive: the smaller domain is the positive one.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> found = phyvae.Alignment(
    ...     share=0.38,
    ...     share_by_chance=0.08,
    ...     autocorrelations=np.array([0.91, 0.84, 0.22]),
    ...     autocorrelation_by_chance=0.16,
    ...     factors=np.zeros((2, 30, 40), np.float32),
    ... )
    >>> found.latents  # two factors stand out, as three domains have
    2
    """

    share: float
    share_by_chance: float
    autocorrelations: Float[np.ndarray, " factors"]
    autocorrelation_by_chance: float
    factors: Float[np.ndarray, "k rows cols"]

    @property
    def latents(self) -> int:
        """How many factors stand out, and so how many content latents are of use.

        As many as come before the largest ratio of two neighbouring `autocorrelations` (Ahn &
        Horenstein, "Eigenvalue ratio test for the number of factors", Econometrica 81, 2013),
        where all that are less than by chance count as that; 0 if the first is less than 1.5
        times that by chance. k domains differ in k - 1 ways at most, but a slow ramp of thickness
        or strain stands out, too.
        """
        return standing_out(self.autocorrelations, self.autocorrelation_by_chance)

    def __repr__(self) -> str:
        first = [f"{rho:.2f}" for rho in self.autocorrelations[:6]]
        more = ["..."] * (len(self.autocorrelations) > 6)
        return (
            f"Alignment(share={self.share:.2f} (by chance {self.share_by_chance:.2f}), "
            f"latents={self.latents}, autocorrelations=[{', '.join(first + more)}] "
            f"(by chance {self.autocorrelation_by_chance:.2f}))"
        )


def standing_out(autocorrelations: Float[np.ndarray, " factors"], by_chance: float) -> int:
    """Return how many factors stand out of those by chance; see `Alignment.latents`."""
    if not len(autocorrelations) or autocorrelations[0] < _ABOVE_CHANCE * by_chance:
        return 0
    above = np.append(autocorrelations, by_chance).clip(min=by_chance)
    return int((above[:-1] / above[1:]).argmax()) + 1


def warn_of_noise(found: Alignment) -> None:
    """Warn where the shifts, or the factors, are no better than those of noise."""
    if found.share < _AGREES * found.share_by_chance:
        warnings.warn(
            f"The shifts of {found.share:.0%} of the pairs of windows agree, and "
            f"{found.share_by_chance:.0%} do by chance: align has found no lattice. Give it more "
            "steps, a larger patch (two lattice constants; see phyvae.lattice_spacing), or a "
            "reach of three quarters of the period; without a lattice, train without align.",
            AlignmentWarning,
            stacklevel=4,
        )
    if len(found.autocorrelations) and not found.latents:
        warnings.warn(
            f"No content factor stands out of noise: autocorrelation "
            f"{found.autocorrelations[0]:.2f}, by chance {found.autocorrelation_by_chance:.2f}. "
            "As it should be of a single crystal: its maps show noise, and it is one domain. "
            "If there are domains, try a larger patch, or the reach and dx_prior of a longer "
            "period (a superlattice).",
            AlignmentWarning,
            stacklevel=4,
        )
