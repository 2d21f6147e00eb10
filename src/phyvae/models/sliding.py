"""The encoder's first layer over overlapping windows of an image, which is a correlation.

A fully connected unit weighs the pixels of a patch; over the patches at every pixel this is the
correlation of its weights with the image. The fast Fourier transform of blocks of the image
(overlap-save) gives it at a cost that does not grow with the area of a patch, and no patch is
ever copied.
"""

import itertools
import math
from collections.abc import Iterator

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor, nn

from ..patches.grid import PatchGrid

__all__ = ["first_layer", "pays"]

# One pixel of a Fourier transform takes as long as this many pixels of copied patches do in the
# first layer. Measured on one core, where both paths take the same time for patches of 14 px at
# step 1, 25 px at step 2 and 32 px at step 3.
_COST = 150


def pays(grid: PatchGrid) -> bool:
    """Return whether `first_layer` is faster on this grid than copies of its patches.

    It is where patches overlap much: from about 15 px on at step 1, and 30 px at step 2. Patches
    on sites are at no regular steps.
    """
    if len(grid.patch_shape) == 1 or not grid.is_raster:
        return False
    (tall, rows), (wide, cols) = _blocks(grid)
    transforms = len(rows) * len(cols) + 1  # the last one stands for the weights
    return _COST * transforms * tall * wide < len(grid) * math.prod(grid.patch_shape)


def first_layer(
    layer: nn.Linear, grid: PatchGrid, batch_size: int
) -> Iterator[tuple[Int[Tensor, " n"], Float[Tensor, "n units"]]]:
    """Yield the layer's output for all patches of a grid, block by block of the map.

    Equal to ``layer(grid.gather(index).flatten(1))`` up to rounding.

    layer: A fully connected layer with an input for each pixel of a patch, float32 or float64.
    grid: Patches of an image, at any step. Spectra do not overlap.
    batch_size: Largest number of patches yielded at a time.

    Yields: Flat grid indices, shape (n,), on the CPU, and the output at these, shape (n, units),
    on the layer's device. Each patch comes once, not in the order of the grid.
    """
    height, width = grid.patch_shape
    (tall, row_blocks), (wide, col_blocks) = _blocks(grid)
    weight = layer.weight.unflatten(1, (height, width))
    filters = torch.fft.rfft2(weight, s=(tall, wide)).conj_physical_()
    bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias
    numbers = torch.arange(len(grid)).reshape(grid.shape)
    for rows, cols in itertools.product(row_blocks, col_blocks):
        index = numbers[rows, cols]
        down, across = _pixels(rows, grid.step[0], height), _pixels(cols, grid.step[1], width)
        window = grid.image[down, across].to(weight)
        output = _correlated(window, filters, bias, wide, index.shape, grid.step)
        # A view: units stay outermost in memory, and the next layer multiplies them as they are.
        index, sites = index.flatten(), output.flatten(1).T
        if grid.mask is not None:
            there = grid.mask.flatten()[index.to(grid.device)]
            index, sites = index[there.to(index.device)], sites[there.to(sites.device)]
        yield from zip(index.split(batch_size), sites.split(batch_size), strict=True)


def _correlated(
    window: Float[Tensor, "height width"],
    filters: Complex[Tensor, "units tall half"],
    bias: Float[Tensor, " units"],
    wide: int,
    shape: tuple[int, ...],
    step: tuple[int, int],
) -> Float[Tensor, "units rows cols"]:
    """Return filters correlated with a window of the image, at (rows, cols) sites a step apart."""
    (rows, cols), (dy, dx) = shape, step
    spectrum = torch.fft.rfft2(window, s=(filters.shape[1], wide))
    output = window.new_empty(len(filters), rows, cols)
    # A few units at a time stay in the cache of a CPU core, which makes it twice as fast.
    units = 4 if window.device.type == "cpu" else len(filters)
    parts = zip(*(x.split(units) for x in (filters, bias[:, None, None], output)), strict=True)
    for part, offset, into in parts:
        # Later rows and columns hold what wrapped around; those between steps are not needed.
        lines = torch.fft.ifft(part * spectrum, dim=1)[:, : rows * dy : dy]
        values = torch.fft.irfft(lines, n=wide)[..., : cols * dx : dx]
        torch.add(values, offset, out=into)
    return output


def _blocks(grid: PatchGrid) -> list[tuple[int, list[slice]]]:
    """Return, for rows and columns, the length of a transform and the sites each one gives."""
    return [
        _blocks_along(*axis) for axis in zip(grid.shape, grid.patch_shape, grid.step, strict=True)
    ]


def _blocks_along(sites: int, size: int, step: int) -> tuple[int, list[slice]]:
    from scipy.fft import next_fast_len  # its import adds a global warning filter

    # A short transform is mostly overlap, a long one leaves the cache: 4 patches do well.
    length = max(128, min(4 * size, 400), 2 * size)
    count = max(1, round(sites / ((length - size) // step + 1)))
    each = math.ceil(sites / count)
    blocks = [slice(start, min(start + each, sites)) for start in range(0, sites, each)]
    return next_fast_len((each - 1) * step + size, real=True), blocks


def _pixels(sites: slice, step: int, size: int) -> slice:
    """Return the pixels that the patches at these sites cover."""
    return slice(sites.start * step, (sites.stop - 1) * step + size)
