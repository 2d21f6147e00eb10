"""Content latents trained on maximum autocorrelation factors of aligned patches."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from .adam_steps import adam_steps
from .components import Components, Corners, ScoreField
from .encoder_start import ScoreEncoder
from .factors import Factors, maximum_autocorrelation
from .shift_loss import ShiftLoss
from .window_scores import WindowScores

__all__ = ["AlignedFeatures", "aligned_features", "content_factors", "train_content"]

_POOL = 16384  # pairs of windows that content is trained on
_WAVES = 256  # Fourier coefficients, the strongest


@dataclass(frozen=True, eq=False)
class AlignedFeatures:
    r"""Features of windows that do not depend on the phase of the lattice in them, in two blocks.

    The scores of windows that were moved onto the lattice separate sublattices; the magnitudes of
    Fourier coefficients separate periods, also where the noise hides the lattice's phase. Neither
    contains the mean of the window: the brightest domain is often a slow background.
    """

    encoder: ScoreEncoder
    scores: ScoreField | WindowScores
    flat: Float[Tensor, " components"]
    mean_level: float
    waves: Complex[Tensor, "components waves"]
    mean_waves: Complex[Tensor, " waves"]

    @torch.no_grad()
    def __call__(self, corners: Corners) -> tuple[Tensor, Tensor]:
        """Return both blocks of the features of windows."""
        scores = self.scores(corners)
        aligned = self.scores(self.scores.moved(corners, self.encoder.shifts(scores)))
        waves = self._centred(scores).to(self.waves) @ self.waves + self.mean_waves
        return self._centred(aligned), waves.abs()

    def _centred(self, scores: Float[Tensor, "n columns"]) -> Float[Tensor, "n components"]:
        """Return the scores of windows less their mean."""
        level = scores[:, -1:] - self.mean_level
        return scores[:, :-1] - level * self.flat


def aligned_features(
    encoder: ScoreEncoder, scores: ScoreField, components: Components
) -> AlignedFeatures:
    """Return the features of a model's windows, with the shifts that its encoder has now."""
    shape = scores.patch_shape
    # The border of a Hann window is zero, and is left out.
    rows, cols = (
        torch.hann_window(n + 2, periodic=False).to(components.mean)[1:-1] for n in shape
    )
    patterns = torch.cat([components.directions, components.mean[None]])
    level = patterns.mean(1, keepdim=True)
    tapered = (patterns - level).reshape(-1, *shape) * rows[:, None] * cols
    waves = torch.fft.rfft2(tapered).flatten(1)
    power = (components.spread[:, None] * waves[:-1]).abs().square().sum(0)
    kept = power.topk(min(_WAVES, len(power))).indices
    return AlignedFeatures(
        encoder,
        scores,
        components.directions.sum(1),
        float(components.mean.mean()),
        waves[:-1, kept],
        waves[-1, kept],
    )


def content_factors(
    features: AlignedFeatures, scores: ScoreField, generator: torch.Generator, count: int = 4096
) -> Factors:
    """Return the maximum autocorrelation factors of random pairs of neighbouring windows."""
    first = scores.random(count, generator)
    second = scores.neighbours(first, generator)
    return maximum_autocorrelation(features(first), features(second))


def train_content(
    loss: ShiftLoss,
    features: AlignedFeatures,
    factors: Factors,
    pairs: int,
    steps: int,
    lr: float,
    advance: Callable[[], object],
) -> None:
    """Train shift and content.

    The target of a content latent is a factor's value in a neighbouring window, times the root of
    the factor's autocorrelation. The pairs come from a pool whose factors are computed once.
    """
    encoder, generator = loss.encoder, loss.generator
    model = encoder.model
    kept = min(model.latent_dim, len(factors.autocorrelations))
    scale = torch.from_numpy(factors.autocorrelations[:kept]).clamp(min=0).sqrt().to(model.like)
    first, second = loss.pairs(_POOL)
    displacement = (second - first)[:, 1:].to(model.like)
    scores = [loss.scores(corners) for corners in (first, second)]
    targets = [
        factors(torch.cat(features(loss.scores.neighbours(corners, generator)), 1))[:, :kept]
        * scale
        for corners in (first, second)
    ]
    for descend in adam_steps(encoder.network, steps, lr, advance):
        chosen = torch.randint(_POOL, (pairs,), generator=generator, device=first.device)
        means = encoder.means(torch.cat([one[chosen] for one in scores]))
        target = torch.cat([one[chosen] for one in targets])
        content = means[:, model.content][:, :kept]
        descend(loss(means, displacement[chosen]) + (content - target).square().mean())
