"""Alignment: a start for training, from shifts on the lattice and the factors of domains."""

import copy
from dataclasses import replace

import numpy as np
import torch
from tqdm.auto import tqdm

from .._checks import as_integer, as_pair, as_positive, as_seed
from ..compute.own_state import own_state
from ..compute.progress import silent
from ..compute.threads import one_thread
from ..models import ShiftVAE, check_patches
from ..patches.grid import PatchGrid
from .components import principal_components, score_field
from .content import aligned_features, content_factors, train_content
from .decoder_start import train_decoder
from .encoder_start import score_encoder
from .factor_maps import factor_maps
from .result import Alignment, standing_out, warn_of_noise
from .shift_loss import ShiftLoss, train_shift

__all__ = ["align"]


@own_state(grad=True)
def align(
    model: ShiftVAE,
    grid: PatchGrid,
    *,
    steps: int = 600,
    content_steps: int = 600,
    decoder_steps: int = 300,
    pairs: int = 256,
    reach: int | tuple[int, int] | None = None,
    lr: float = 4e-3,
    seed: int = 0,
    progress: bool = True,
) -> Alignment:
    r"""Pretrain a model on the shift of the lattice in each patch and the features of domains.

    **Shift.** A window moved by d sees its content moved by -d. So without any decoder, the
    encoder's shifts s of two windows at r and r + d can be asked to obey s(r + d) - s(r) = -d. A
    lattice repeats, so no shift can do so everywhere: somewhere in each unit cell it must jump by
    a lattice constant. The loss of a pair,

    .. math:: 1 - \exp\left(-\frac{|s(r + d) - s(r) + d|^2}{2 c^2}\right)

    (with a c for either axis), forgives such jumps and makes them few, for which the cell must be
    a whole unit cell of the lattice. Training that starts from here need not find the lattice
    first, and does not settle for half a cell, with a content latent for the difference to the
    other half.

    **Content.** The physics of domains, that neighbours are alike and walls are few, needs no
    decoder either. Of all linear functions of the aligned patches and of their Fourier
    magnitudes, the maximum autocorrelation factors change least from a patch to the next, for
    their variance. Each content latent is trained on one of them: not on its value for the patch
    itself, which is noisy, but on that of a neighbouring patch, which has other noise. Only the
    features that the two share can predict it.

    **Decoder.** The decoder is trained to reconstruct patches, with this encoder as it is.

    It is meant for a new model: the encoder is trained on the scores of the first 48 principal
    components of the image's windows, whitened, so that weak differences of sublattices are seen
    as well as the lattice. The scores are computed once, at every pixel (of an image of more than
    a million pixels, in crops all over it), and in the end the components are folded into the
    encoder's first layer. So time and memory do not depend on the size of a patch. It runs on
    one thread: the steps are small.

    Parameters
    ----------
    model
        A model that has not been trained, with pyroVED's fully connected encoder.
    grid
        The grid that it will be trained on. Windows are sampled from its whole image, at any
        pixel. Spectra have no windows.
    steps
        Steps of Adam for the shift, >= 1.
    content_steps
        Further steps for shift and content, >= 0. With 0 the content starts near the prior's
        mean, for every patch.
    decoder_steps
        Steps for the decoder, >= 0.
    pairs
        Pairs of windows in a step, >= 1.
    reach
        Largest displacement down and to the right, px, >= 1; one number for both. Three quarters
        of the period of the pattern along that axis are right: with less, the half cell is
        sometimes taken for the cell, with more, few pairs agree. The default is three eighths of
        the patch, right for patches of two lattice constants. A superlattice has its own, longer
        period, and needs a `dx_prior` of the model as much wider; else a content latent encodes
        which of its cells a patch shows. The tolerance c is a third of `reach` along either axis.
    lr
        Learning rate, > 0; it falls to nothing over the second half of the steps.
    seed
        Seed of windows, of the first layer and of the decoder's samples.
    progress
        Whether to show a progress bar; of several processes, the first one does.

    Returns
    -------
    Alignment
        How well the shifts agree, how many factors stand out, and their maps.

    Raises
    ------
    TypeError
        If the model is no `ShiftVAE`, or `grid` is a list of grids.
    ValueError
        If a number is out of its range, or the grid holds spectra.

    Warns
    -----
    AlignmentWarning
        Where the shifts agree no better than by chance, or no factor stands out.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo(shape=(200, 200), seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=12)
    >>> model = phyvae.ShiftVAE(grid.patch_shape, dx_prior=0.3, seed=0)
    >>> few = {"steps": 100, "content_steps": 1, "decoder_steps": 1}  # for a quick example
    >>> found = phyvae.align(model, grid, **few, progress=False)
    >>> found.latents  # ways in which its three domains differ
    2
    >>> found.factors.shape == (2, *grid.shape)
    True
    """
    if not isinstance(model, ShiftVAE):
        raise TypeError(
            f"model is of type {type(model).__name__}, but align trains a ShiftVAE only; others "
            "are trained without it."
        )
    if isinstance(grid, list | tuple):
        raise TypeError(
            f"grid is a {type(grid).__name__} of {len(grid)}, but align takes one image; align "
            "on one of the series: align(model, grids[0]). Training takes them all."
        )
    check_patches(model, grid)
    _check_windows(grid)
    as_integer(steps, "steps", 1)
    as_integer(content_steps, "content_steps", 0)
    as_integer(decoder_steps, "decoder_steps", 0)
    as_integer(pairs, "pairs", 1)
    reach = _reach(reach, grid)
    lr = as_positive(lr, "lr")
    as_seed(seed)
    here = grid.to(model.device)
    generator = torch.Generator(model.device).manual_seed(seed)
    total = steps + content_steps + decoder_steps
    hidden = silent(progress)
    with one_thread(), tqdm(total=total, disable=hidden, unit="step", desc="align") as bar:
        components = principal_components(here, model.like, generator)
        scores = score_field(here, components, generator)
        encoder = score_encoder(model, components, generator)
        loss = ShiftLoss(encoder, scores, generator, reach)
        train_shift(loss, pairs, steps, lr, bar.update)
        encoder.reset_posterior()
        rho, by_chance, maps = np.empty(0), np.nan, np.empty((0, *grid.shape), np.float32)
        if content_steps:
            start = replace(encoder, network=copy.deepcopy(encoder.network))
            features = aligned_features(start, scores, components)
            factors = content_factors(features, scores, generator)
            rho, by_chance = factors.autocorrelations, factors.by_chance
            count = max(model.latent_dim, standing_out(rho, by_chance))
            maps = factor_maps(features, factors, here, components, count)
            train_content(loss, features, factors, pairs, content_steps, lr, bar.update)
        agreement = loss.agreement()
        encoder.to_pixels()
        windows, shown = here.windows.to(model.like), here.shown_windows
        train_decoder(model, windows, decoder_steps, lr, generator, bar.update, shown)
    found = Alignment(*agreement, rho, by_chance, maps)
    warn_of_noise(found)
    return found


def _reach(reach: object, grid: PatchGrid) -> tuple[int, int]:
    """Return the largest displacement along either axis, checked against patch and image."""
    room = [n - 1 for n in grid.windows.shape[:2]]
    if reach is None:
        down, right = (
            max(1, min(3 * n // 8, most)) for n, most in zip(grid.patch_shape, room, strict=True)
        )
        return down, right
    pair = as_pair(reach, "reach")
    for axis, px, size, most in zip(("y", "x"), pair, grid.patch_shape, room, strict=True):
        if px >= size:
            raise ValueError(
                f"reach={reach} is {px} px along {axis}, but windows of {size} px that far apart "
                f"share no pixel; reach is three quarters of the pattern's period, and a patch "
                "holds one: take a smaller reach or a larger size."
            )
        if px > most:
            raise ValueError(
                f"reach={reach} is {px} px along {axis}, but the image has room for {most} px "
                f"between windows of {size} px; take a smaller reach or size, or a larger image."
            )
    return pair


def _check_windows(grid: PatchGrid) -> None:
    """Raise an error unless the grid's image has several windows."""
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
