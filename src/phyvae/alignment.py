"""Alignment: the encoder learns where the lattice sits in a patch, before anything is decoded."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from tqdm.auto import trange

from ._given import as_integer
from .models import ShiftVAE, check_patches
from .parallel import rank
from .patches import PatchGrid

__all__ = ["align"]


def align(
    model: ShiftVAE,
    grid: PatchGrid,
    *,
    steps: int = 600,
    pairs: int = 256,
    reach: int | None = None,
    lr: float = 2e-3,
    seed: int = 0,
    progress: bool = True,
) -> float:
    r"""Teach an untrained encoder the shifts of patches, from windows of known displacement.

    A window moved by d sees its content moved by -d. So without any decoder, the encoder's shifts
    s of two windows at r and r + d can be asked to obey s(r + d) - s(r) = -d. A lattice repeats,
    so no shift can do so everywhere: somewhere in each unit cell it must jump by a lattice
    constant. The loss of a pair,

    .. math:: 1 - \exp\left(-\frac{|s(r + d) - s(r) + d|^2}{2 c^2}\right),

    forgives such jumps and makes them few, for which the cell must be a whole unit cell of the
    lattice. Training that starts from here need not find the lattice first, and does not settle
    for half a cell, with the other half told apart by a content latent.

    It is meant for a new model: the first layer of the encoder is set to the principal components
    of the patches, whitened, so that weak differences of sublattices are seen as well as the
    lattice; the content starts with next to nothing said, around the prior's mean.

    Parameters
    ----------
    model
        A model that has not been trained, with pyroVED's fully connected encoder.
    grid
        The grid that it will be trained on. Windows are drawn from all over its image, at any
        pixel. Spectra have no windows.
    steps
        Steps of Adam, >= 1.
    pairs
        Pairs of windows in a step, >= 1.
    reach
        Largest displacement along either axis, px, >= 1. The default is three eighths of the
        patch, three quarters of a lattice constant in patches of two: with less, the half cell is
        sometimes taken for the cell. The tolerance c is a third of it.
    lr
        Learning rate, > 0; it falls to nothing over the second half of the steps.
    seed
        Seed of windows and of the first layer.
    progress
        Whether to show a progress bar; of several processes, the first one does.

    Returns
    -------
    float
        The share of pairs, over the last tenth of the steps, whose shifts agree with their
        displacement to within c. A quarter to a half is usual for a lattice, as jumps lie
        between the others. White noise gives about a tenth: nothing to align with.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo(seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=12)
    >>> model = phyvae.ShiftVAE(grid.patch_shape, dx_prior=0.3, seed=0)
    >>> share = phyvae.align(model, grid, steps=5, progress=False)
    """
    check_patches(model, grid)
    reach = _checked(model, grid, steps, pairs, reach)
    windows = grid.to(model.device).windows.to(model.grid)
    generator = torch.Generator(model.device).manual_seed(seed)
    _whiten(model, _drawn(windows, 2048, generator), generator)
    optimizer = torch.optim.Adam(model.encoder_z.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: min(1, 2 * (1 - i / steps)))
    width, agreed = reach / 3, []
    for step in trange(steps, disable=not progress or rank() > 0, unit="step"):
        first, second = _displaced(windows.shape[:2], pairs, reach, generator)
        patches = torch.cat([windows[tuple(first.T)], windows[tuple(second.T)]])
        shift = model.posterior(patches).mean[:, : model.coord]
        moved = (shift[pairs:] - shift[:pairs]) * model.shift_scale
        miss = (moved + second - first).square().sum(1) / width**2
        # The weak pull to the prior's mean decides where in the cell zero lies.
        loss = -(-miss / 2).exp().mean() + 0.005 * shift.square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        if step >= steps - max(1, steps // 10):
            agreed.append((miss.detach() < 1).to(miss).mean())
    _say_nothing_yet(model)
    return float(torch.stack(agreed).mean())


def _displaced(
    shape: tuple[int, ...], pairs: int, reach: int, generator: torch.Generator
) -> tuple[Int[Tensor, "pairs 2"], Int[Tensor, "pairs 2"]]:
    """Return corners (y, x) of windows and of windows nearby, all inside the image."""
    limit = torch.tensor(shape, device=generator.device) - 1
    random = torch.rand(2, pairs, 2, generator=generator, device=generator.device)
    first = (random[0] * (limit + 1)).long().minimum(limit)
    offset = (random[1] * (2 * reach + 1)).long() - reach
    return first, (first + offset).clamp(min=0).minimum(limit)


def _drawn(
    windows: Float[Tensor, "ys xs height width"], count: int, generator: torch.Generator
) -> Float[Tensor, "count pixels"]:
    corners, _ = _displaced(windows.shape[:2], count, 0, generator)
    return windows[tuple(corners.T)].flatten(1)


@torch.no_grad()
def _whiten(
    model: ShiftVAE, patches: Float[Tensor, "n pixels"], generator: torch.Generator
) -> None:
    """Set the encoder's first layer to random mixtures of whitened principal components.

    Components weaker than a quarter of the strongest fade out: the rest is mostly noise.
    """
    layer = _first_layer(model)
    mean = patches.mean(0)
    _, spread, components = torch.linalg.svd(patches - mean, full_matrices=False)
    gain = spread / (spread**2 + (spread[0] / 4) ** 2) * len(patches) ** 0.5
    signal = gain * spread / len(patches) ** 0.5  # standard deviation that each one keeps
    mixture, bias = (
        torch.randn(shape, generator=generator, device=patches.device, dtype=patches.dtype)
        for shape in ((len(layer.weight), len(gain)), (len(layer.weight),))
    )
    weight = 1.5 / torch.linalg.vector_norm(signal) * mixture @ (gain[:, None] * components)
    layer.weight.copy_(weight)
    layer.bias.copy_(0.5 * bias - weight @ mean)


@torch.no_grad()
def _say_nothing_yet(model: ShiftVAE) -> None:
    """Start the content near the prior's mean, and the shifts with the certainty they now have.

    At the mean itself the maps would be flat: Psi is then 0 with no gradient, and so is a product
    with w = 0.
    """
    mean, std = model.encoder_z.fc11, model.encoder_z.fc12
    mean.weight[model.content] *= 0.01
    mean.bias[model.content] = 0
    std.weight[: model.coord] = 0
    std.bias[: model.coord] = float(torch.tensor(0.2).expm1().log())  # softplus gives 0.2


def _first_layer(model: ShiftVAE) -> nn.Linear:
    layer = model.encoder_z.fc_layers[0]
    assert isinstance(layer, nn.Linear)
    return layer


def _checked(model: ShiftVAE, grid: PatchGrid, steps: int, pairs: int, reach: int | None) -> int:
    if len(grid.patch_shape) == 1:
        raise ValueError(
            "grid holds spectra, which are no windows of something larger, so no two of them "
            "have a known displacement; train without align."
        )
    as_integer(steps, "steps", 1)
    as_integer(pairs, "pairs", 1)
    return (
        max(1, 3 * min(grid.patch_shape) // 8) if reach is None else as_integer(reach, "reach", 1)
    )
