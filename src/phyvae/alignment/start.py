"""Alignment: a start for training, by which the encoder knows the lattice and what differs."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm.auto import tqdm

from .._checks import as_integer, as_number, as_seed
from ..compute.precision import dtype_of
from ..compute.processes import rank
from ..models import ShiftVAE, check_patches
from ..models.options import Decoding
from ..patches.grid import PatchGrid
from ..patches.known import Patches
from ..patches.windows import Corners, Windows, clamped, crop, random_corners, random_neighbours
from .factors import Factors, features, maximum_autocorrelation

__all__ = ["Alignment", "align"]


@dataclass(frozen=True, eq=False, repr=False)
class Alignment:
    """What was found of an image before training.

    Attributes
    ----------
    share : float
        The share of pairs of windows, over the last tenth of the steps, whose shifts agree with
        their displacement to within a third of `reach`. A quarter to a half is usual for a
        lattice, as jumps lie between the others. White noise gives about a tenth: nothing to
        align with.
    autocorrelations : ndarray
        How much each of the factors that the content starts from tells of the patch next to it:
        1 is all, near 0 nothing. Those that stand out, before a gap, are as many as there are
        ways in which domains differ, so as many content latents are of use; values around 0.3 are
        usual without domains, too. Empty without `content_steps`.
    """

    share: float
    autocorrelations: Float[np.ndarray, " factors"]

    def __repr__(self) -> str:
        clear = [f"{rho:.2f}" for rho in self.autocorrelations[:6]]
        more = ["..."] * (len(self.autocorrelations) > 6)
        return f"Alignment(share={self.share:.2f}, autocorrelations=[{', '.join(clear + more)}])"


def align(
    model: ShiftVAE,
    grid: PatchGrid,
    *,
    steps: int = 1200,
    content_steps: int = 1200,
    decoder_steps: int = 300,
    pairs: int = 256,
    reach: int | None = None,
    lr: float = 2e-3,
    seed: int = 0,
    progress: bool = True,
) -> Alignment:
    r"""Teach an untrained model where the lattice sits in a patch, and what domains differ in.

    **Shift.** A window moved by d sees its content moved by -d. So without any decoder, the
    encoder's shifts s of two windows at r and r + d can be asked to obey s(r + d) - s(r) = -d. A
    lattice repeats, so no shift can do so everywhere: somewhere in each unit cell it must jump by
    a lattice constant. The loss of a pair,

    .. math:: 1 - \exp\left(-\frac{|s(r + d) - s(r) + d|^2}{2 c^2}\right),

    forgives such jumps and makes them few, for which the cell must be a whole unit cell of the
    lattice. Training that starts from here need not find the lattice first, and does not settle
    for half a cell, with the other half told apart by a content latent.

    **Content.** What physics says of domains, that neighbours are alike and walls are few, needs
    no decoder either. Of all linear functions of the aligned patches and of their Fourier
    magnitudes, the maximum autocorrelation factors change least from a patch to the next, for
    their variance. Each content latent is taught one of them: not its value for the patch itself,
    which is noisy, but for a patch beside it, which has other noise. All that helps to tell it is
    what the two have in common.

    **Decoder.** With this encoder as it is, the decoder learns to draw.

    It is meant for a new model: the first layer of the encoder is set to the principal components
    of the patches, whitened, so that weak differences of sublattices are seen as well as the
    lattice.

    Parameters
    ----------
    model
        A model that has not been trained, with pyroVED's fully connected encoder.
    grid
        The grid that it will be trained on. Windows are drawn from all over its image, at any
        pixel. Spectra have no windows.
    steps
        Steps of Adam for the shift, >= 1.
    content_steps
        Further steps for shift and content, >= 0. With 0 the content says next to nothing at the
        start.
    decoder_steps
        Steps for the decoder, >= 0.
    pairs
        Pairs of windows in a step, >= 1.
    reach
        Largest displacement along either axis, px, >= 1. Three quarters of the period of the
        pattern are right: with less, the half cell is sometimes taken for the cell, with more,
        few pairs agree. The default is three eighths of the patch, right for patches of two
        lattice constants. A superlattice has its own, longer period, and needs a `dx_prior` of
        the model as much wider; else a content latent says which of its cells a patch shows. The
        tolerance c is a third of `reach`.
    lr
        Learning rate, > 0; it falls to nothing over the second half of the steps.
    seed
        Seed of windows, of the first layer and of the decoder's samples.
    progress
        Whether to show a progress bar; of several processes, the first one does.

    Returns
    -------
    Alignment
        How well the shifts agree, and how many factors stand out.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo(seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=12)
    >>> model = phyvae.ShiftVAE(grid.patch_shape, dx_prior=0.3, seed=0)
    >>> found = phyvae.align(model, grid, progress=False)
    >>> int((found.autocorrelations > 0.5).sum())  # ways in which its three domains differ
    2
    """
    if not isinstance(model, ShiftVAE):
        raise TypeError(
            f"model is of type {type(model).__name__}, but align teaches a ShiftVAE alone; others "
            "are trained without it."
        )
    if isinstance(grid, list | tuple):
        raise TypeError(
            f"grid is a {type(grid).__name__} of {len(grid)}, but align looks at one image; align "
            "on one of the series: align(model, grids[0]). Training takes them all."
        )
    check_patches(model, grid)
    as_seed(seed)
    if not 0 < as_number(lr, "lr") < math.inf:
        raise ValueError(f"lr={lr} must be > 0 and finite.")
    reach = _checked(model, grid, steps, content_steps, decoder_steps, pairs, reach)
    windows = grid.to(model.device).windows.to(model.grid)
    generator = torch.Generator(model.device).manual_seed(seed)
    total = steps + content_steps + decoder_steps
    with tqdm(total=total, disable=not progress or rank() > 0, unit="step") as bar:
        _whiten(
            model, crop(windows, random_corners(windows, 2048, generator)).flatten(1), generator
        )
        shift = _Shift(model, windows, pairs, reach, generator)
        share = _learn_shift(shift, steps, lr, bar.update)
        _say_nothing_yet(model)
        autocorrelations = np.empty(0)
        if content_steps:
            site = _OnTheLattice(copy.deepcopy(model), windows)
            factors = _factors(site, generator)
            autocorrelations = factors.autocorrelations
            share = _learn_content(shift, site, factors, content_steps, lr, bar.update)
        _learn_to_draw(model, windows, decoder_steps, lr, generator, bar.update)
    return Alignment(share, autocorrelations)


# -- Shift -------------------------------------------------------------------------------------


class _Shift:
    """The loss of shifts of pairs of windows, newly drawn at each call."""

    def __init__(
        self,
        model: ShiftVAE,
        windows: Windows,
        pairs: int,
        reach: int,
        generator: torch.Generator,
    ) -> None:
        self.model, self.windows, self.generator = model, windows, generator
        self.pairs, self.reach, self.agreed = pairs, reach, [torch.zeros(())]

    def __call__(self) -> tuple[Tensor, Corners, Float[Tensor, "n z_dim"]]:
        """Return the loss, all windows' corners and what the encoder says of them."""
        first = random_corners(self.windows, self.pairs, self.generator)
        random = torch.rand(first.shape, generator=self.generator, device=first.device)
        offset = (random * (2 * self.reach + 1)).long() - self.reach
        second = clamped(self.windows, first + offset)
        corners = torch.cat([first, second])
        said = self.model.posterior(Patches(crop(self.windows, corners))).mean
        shift = said[:, : self.model.coord]
        moved = (shift[self.pairs :] - shift[: self.pairs]) * self.model.shift_scale
        miss = (moved + second - first).square().sum(1) / (self.reach / 3) ** 2
        self.agreed.append((miss.detach() < 1).to(miss).mean())
        # The weak pull to the prior's mean decides where in the cell zero lies.
        loss = -(-miss / 2).exp().mean() + 0.005 * shift.square().mean()
        return loss, corners, said

    def share(self, steps: int) -> float:
        """Return the share of pairs that agreed in the last steps."""
        return float(torch.stack(self.agreed[-steps:]).mean())


def _learn_shift(shift: _Shift, steps: int, lr: float, tell: Callable[[], object]) -> float:
    for descend in _steps(shift.model.encoder_z, steps, lr, tell):
        loss, _, _ = shift()
        descend(loss)
    return shift.share(max(1, steps // 10))


# -- Content -----------------------------------------------------------------------------------


class _OnTheLattice:
    """Features of windows, by a model that knows how to move them onto the lattice."""

    def __init__(self, model: ShiftVAE, windows: Windows) -> None:
        self.model, self.windows = model, windows

    @torch.no_grad()
    def __call__(self, corners: Corners) -> tuple[Tensor, Tensor]:
        patches = crop(self.windows, corners)
        shift = self.model.posterior(Patches(patches)).mean[:, : self.model.coord]
        sites = corners + (shift * self.model.shift_scale).round().long()
        return features(crop(self.windows, clamped(self.windows, sites)), patches)


def _factors(site: _OnTheLattice, generator: torch.Generator, count: int = 4096) -> Factors:
    first = random_corners(site.windows, count, generator)
    second = random_neighbours(site.windows, first, generator)
    # A thousand windows at a time bound the memory.
    one, two = (
        tuple(map(torch.cat, zip(*map(site, corners.split(1024)), strict=True)))
        for corners in (first, second)
    )
    return maximum_autocorrelation(one, two)


def _learn_content(
    shift: _Shift,
    site: _OnTheLattice,
    factors: Factors,
    steps: int,
    lr: float,
    tell: Callable[[], object],
) -> float:
    """Teach each content latent a factor's value in the patch beside, by its autocorrelation."""
    model = shift.model
    kept = min(model.latent_dim, len(factors.autocorrelations))
    clear = torch.from_numpy(factors.autocorrelations[:kept]).clamp(min=0).sqrt().to(model.grid)
    for descend in _steps(model.encoder_z, steps, lr, tell):
        loss, corners, said = shift()
        neighbours = random_neighbours(shift.windows, corners, shift.generator)
        target = factors(torch.cat(site(neighbours), 1))[:, :kept] * clear
        content = said[:, model.content][:, :kept]
        descend(loss + (content - target).square().mean())
    return shift.share(max(1, steps // 10))


# -- Decoder -----------------------------------------------------------------------------------


def _learn_to_draw(
    model: ShiftVAE,
    windows: Windows,
    steps: int,
    lr: float,
    generator: torch.Generator,
    tell: Callable[[], object],
) -> None:
    count, dtype = math.prod(model.patch_shape), dtype_of("auto", model.device)
    for descend in _steps(model.decoder, steps, lr, tell):
        patches = crop(windows, random_corners(windows, 100, generator))
        with torch.no_grad():
            latents = model.posterior(Patches(patches)).sample(generator)
        pixels = torch.randperm(count, generator=generator, device=model.device)
        pixels = pixels[: max(100, count // 5)]
        descend(model.mean_reconstruction(patches, latents, Decoding(pixels, dtype)))


# -- Steps -----------------------------------------------------------------------------------


class _Descend:
    """One step of Adam down a loss."""

    def __init__(self, network: nn.Module, steps: int, lr: float) -> None:
        self.optimizer = torch.optim.Adam(network.parameters(), lr=lr)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda i: min(1, 2 * (1 - i / steps))
        )

    def __call__(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.schedule.step()


def _steps(
    network: nn.Module, steps: int, lr: float, tell: Callable[[], object]
) -> Iterator[_Descend]:
    """Yield, for each step, what takes it."""
    if steps == 0:
        return
    descend = _Descend(network, steps, lr)
    for _ in range(steps):
        yield descend
        tell()


# -- Where the encoder starts -------------------------------------------------------------------


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


def _checked(
    model: ShiftVAE,
    grid: PatchGrid,
    steps: int,
    content_steps: int,
    decoder_steps: int,
    pairs: int,
    reach: int | None,
) -> int:
    if len(grid.patch_shape) == 1:
        raise ValueError(
            "grid holds spectra, which are no windows of something larger, so no two of them "
            "have a known displacement; train without align."
        )
    if grid.windows.shape[:2] == (1, 1):
        raise ValueError(
            f"grid's image is one patch, {' x '.join(map(str, grid.patch_shape))} px, so it has "
            "only one window; give a larger image or a smaller size."
        )
    as_integer(steps, "steps", 1)
    as_integer(content_steps, "content_steps", 0)
    as_integer(decoder_steps, "decoder_steps", 0)
    as_integer(pairs, "pairs", 1)
    return (
        max(1, 3 * min(grid.patch_shape) // 8) if reach is None else as_integer(reach, "reach", 1)
    )
