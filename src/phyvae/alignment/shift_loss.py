"""Loss of the encoder's shifts: those of two windows must differ by their displacement."""

from collections.abc import Callable
from dataclasses import dataclass

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
        Largest displacement down and to the right, px.
    """

    encoder: ScoreEncoder
    scores: ScoreField
    generator: torch.Generator
    reach: tuple[int, int]

    def pairs(self, count: int) -> tuple[Corners, Corners]:
        """Sample pairs of windows that are displaced by up to `reach`."""
        first = self.scores.random(count, self.generator)
        random = torch.rand(count, 2, generator=self.generator, device=first.device)
        reach = first.new_tensor(self.reach)
        return first, self.scores.moved(first, (random * (2 * reach + 1)).long() - reach)

    def __call__(
        self, means: Float[Tensor, "windows z_dim"], displacement: Float[Tensor, "pairs 2"]
    ) -> Float[Tensor, ""]:
        """Return the loss of pairs: the means of the first half of them, then of the second."""
        shifts = means[:, : self.encoder.model.coord]
        # The weak pull to the prior's mean decides where in the cell zero lies.
        pull = 0.005 * shifts.square().mean()
        return pull - (-self._miss(shifts, displacement) / 2).exp().mean()

    @torch.no_grad()
    def agreement(self, count: int = 8192) -> tuple[float, float]:
        """Return the share of pairs whose shifts agree, and of pairs that are shuffled.

        Those agree whose miss is less than the tolerance. Shuffled, a pair has the displacement
        of another one, with which its shifts agree by chance.
        """
        first, second = self.pairs(count)
        displacement = (second - first)[:, 1:].to(self.encoder.model.like)
        means = self.encoder.means(self.scores(torch.cat([first, second])))
        shifts = means[:, : self.encoder.model.coord]
        own, another = (
            float((self._miss(shifts, d) < 1).double().mean())
            for d in (displacement, displacement.roll(1, 0))
        )
        return own, another

    def _miss(
        self, shifts: Float[Tensor, "windows 2"], displacement: Float[Tensor, "pairs 2"]
    ) -> Float[Tensor, " pairs"]:
        """Return the squared miss of each pair, in units of the tolerance."""
        one, two = shifts.chunk(2)
        miss = (two - one) * self.encoder.model.shift_scale + displacement
        tolerance = miss.new_tensor(self.reach) / 3
        return (miss / tolerance).square().sum(1)


def train_shift(
    loss: ShiftLoss, pairs: int, steps: int, lr: float, advance: Callable[[], object]
) -> None:
    """Train the encoder's shifts."""
    for descend in adam_steps(loss.encoder.network, steps, lr, advance):
        first, second = loss.pairs(pairs)
        means = loss.encoder.means(loss.scores(torch.cat([first, second])))
        descend(loss(means, (second - first)[:, 1:].to(means)))
