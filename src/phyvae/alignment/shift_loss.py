"""Loss of the encoder's shifts: those of two windows must differ by their displacement."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from ..models import ShiftVAE
from ..patches.known import Patches
from ..patches.windows import Corners, Windows, clamped, crop, random_corners
from .adam_steps import adam_steps

__all__ = ["ShiftLoss", "train_shift"]


@dataclass(frozen=True, eq=False)
class ShiftLoss:
    """Shift loss of random pairs of windows, newly sampled at each call.

    Attributes
    ----------
    model, windows, generator
        The model, all windows of the image, and the source of the pairs.
    pairs, reach
        Pairs in a call, and the largest displacement along either axis, px.
    agreed
        Share of the pairs whose shifts agreed with their displacement, one entry per call.
    """

    model: ShiftVAE
    windows: Windows
    generator: torch.Generator
    pairs: int
    reach: int
    agreed: list[Float[Tensor, ""]] = field(default_factory=list)

    def __call__(self) -> tuple[Float[Tensor, ""], Corners, Float[Tensor, "n z_dim"]]:
        """Return the loss, the corners of all windows and the encoder's means of them."""
        first = random_corners(self.windows, self.pairs, self.generator)
        random = torch.rand(first.shape, generator=self.generator, device=first.device)
        offset = (random * (2 * self.reach + 1)).long() - self.reach
        second = clamped(self.windows, first + offset)
        corners = torch.cat([first, second])
        means = self.model.posterior(Patches(crop(self.windows, corners))).mean
        shift = means[:, : self.model.coord]
        moved = (shift[self.pairs :] - shift[: self.pairs]) * self.model.shift_scale
        miss = (moved + second - first).square().sum(1) / (self.reach / 3) ** 2
        self.agreed.append((miss.detach() < 1).to(miss).mean())
        # The weak pull to the prior's mean decides where in the cell zero lies.
        loss = -(-miss / 2).exp().mean() + 0.005 * shift.square().mean()
        return loss, corners, means

    def share(self, steps: int) -> float:
        """Return the share of pairs that agreed in the last tenth of so many steps."""
        return float(torch.stack(self.agreed[-max(1, steps // 10) :]).mean())


def train_shift(
    shift_loss: ShiftLoss, steps: int, lr: float, advance: Callable[[], object]
) -> float:
    """Train the encoder's shifts; return the share of pairs that agree in the end."""
    for descend in adam_steps(shift_loss.model.encoder_z, steps, lr, advance):
        loss, _, _ = shift_loss()
        descend(loss)
    return shift_loss.share(steps)
