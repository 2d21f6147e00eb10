"""Loss of the encoder's shifts: those of two windows must differ by their displacement."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from .adam_steps import adam_steps
from .components import Corners, ScoreField
from .encoder_start import ScoreEncoder

__all__ = ["ShiftLoss", "train_shift"]


@dataclass(frozen=True, eq=False)
class ShiftLoss:
    """Shift loss of pairs of windows.

    Attributes
    ----------
    encoder, scores
        The encoder that is trained, and the scores of all windows.
    generator
        Source of the pairs.
    reach
        Largest displacement along either axis, px.
    agreed
        Share of the pairs whose shifts agreed with their displacement, one entry per call.
    """

    encoder: ScoreEncoder
    scores: ScoreField
    generator: torch.Generator
    reach: int
    agreed: list[Float[Tensor, ""]] = field(default_factory=list)

    def pairs(self, count: int) -> tuple[Corners, Corners]:
        """Sample pairs of windows that are displaced by up to `reach`."""
        first = self.scores.random(count, self.generator)
        random = torch.rand(count, 2, generator=self.generator, device=first.device)
        return first, self.scores.moved(first, (random * (2 * self.reach + 1)).long() - self.reach)

    def __call__(
        self, means: Float[Tensor, "windows z_dim"], displacement: Float[Tensor, "pairs 2"]
    ) -> Float[Tensor, ""]:
        """Return the loss of pairs: the means of the first half of them, then of the second."""
        model = self.encoder.model
        one, two = means[:, : model.coord].chunk(2)
        miss = (two - one) * model.shift_scale + displacement
        squared = miss.square().sum(1) / (self.reach / 3) ** 2
        self.agreed.append((squared.detach() < 1).to(squared).mean())
        # The weak pull to the prior's mean decides where in the cell zero lies.
        return -(-squared / 2).exp().mean() + 0.005 * means[:, : model.coord].square().mean()

    def share(self, steps: int) -> float:
        """Return the share of pairs that agreed in the last tenth of so many steps."""
        return float(torch.stack(self.agreed[-max(1, steps // 10) :]).mean())


def train_shift(
    loss: ShiftLoss, pairs: int, steps: int, lr: float, advance: Callable[[], object]
) -> float:
    """Train the encoder's shifts; return the share of pairs that agree in the end."""
    for descend in adam_steps(loss.encoder.network, steps, lr, advance):
        first, second = loss.pairs(pairs)
        means = loss.encoder.means(loss.scores(torch.cat([first, second])))
        descend(loss(means, (second - first)[:, 1:].to(means)))
    return loss.share(steps)
