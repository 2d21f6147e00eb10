"""Loss and gradient of the spatial decoder in one pass, a few patches at a time.

Automatic differentiation writes every hidden layer of every pixel to memory and reads it back
later. Here a few patches go forward and back while they are in the processor's cache.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ["after_first", "dense_tanh", "is_dense_tanh", "total_loss"]

Likelihood = Callable[[Tensor, Tensor], Tensor]
Layer = tuple[Tensor, Tensor]  # weight and bias

# Bytes of a hidden layer per pass: on a CPU they fit into the cache, elsewhere into a GPU's
# memory. Larger ones, at 64 patches of 24 x 24 px, took up to 1.3 times as long.
_BYTES = {"cpu": 2_400_000}
_BYTES_ELSEWHERE = 2**28


def is_dense_tanh(layers: object) -> bool:
    """Return whether `layers` are fully connected ones, each followed by tanh."""
    if not isinstance(layers, nn.Sequential) or len(layers) % 2:
        return False
    pairs = zip(layers[::2], layers[1::2], strict=True)
    return all(isinstance(a, nn.Linear) and isinstance(b, nn.Tanh) for a, b in pairs)


def dense_tanh(
    layers: nn.Sequential, rows: Float[Tensor, "rows width"], dtype: torch.dtype
) -> Float[Tensor, "rows hidden"]:
    """Return fully connected layers with tanh of `rows`, with products in `dtype`.

    The rows are centred first, so that a faint contrast on a bright ground survives bfloat16.
    """
    centre, (weight, bias) = rows.mean(), _weights(layers)[0]
    bias = bias + centre * weight.sum(1)
    first = F.linear((rows - centre).to(dtype), weight.to(dtype), bias.to(dtype))
    return after_first(layers, first).to(rows)


def after_first(
    layers: nn.Sequential, first: Float[Tensor, "rows units"]
) -> Float[Tensor, "rows hidden"]:
    """Return the layers' output from that of the first one before its activation, in its type."""
    if not is_dense_tanh(layers):
        others: Tensor = layers[1:](first)
        return others
    hidden: Tensor = _Tanh.apply(first)
    for weight, bias in _weights(layers)[1:]:
        hidden = _Tanh.apply(F.linear(hidden, weight.to(hidden), bias.to(hidden)))
    return hidden


def _weights(layers: nn.Sequential) -> list[Layer]:
    """Return weight and bias of each fully connected layer."""
    return [(layer.weight, layer.bias) for layer in layers if isinstance(layer, nn.Linear)]


def total_loss(
    likelihood: Likelihood,
    data: Float[Tensor, "n pixels"],
    per_pixel: Float[Tensor, "pixels hidden"],
    per_patch: Float[Tensor, "n hidden"],
    layers: nn.Sequential,
    out: nn.Linear,
    dtype: torch.dtype,
) -> Float[Tensor, ""]:
    """Return the summed loss of all pixels of all patches; its gradient is computed along with it.

    likelihood: Loss of each pixel, from the decoder's output and the data, both of shape (rows,).
    data: The pixels that are decoded.
    per_pixel, per_patch: Parts of the first layer before its tanh; a pixel of a patch has the sum
        of the two.
    layers, out: Hidden layers, each followed by tanh, and the output layer.
    dtype: Type of the hidden layers. Output, loss and sums over patches have that of the data.
    """
    pairs = itertools.chain(*_weights(layers))
    arguments = (data, per_pixel, per_patch, out.weight, out.bias, *pairs)
    total: Tensor = _TotalLoss.apply(likelihood, dtype, *arguments)
    return total


class _TotalLoss(torch.autograd.Function):
    """The loss, a sum; its gradient is computed along with it, up to the factor of `backward`."""

    @staticmethod
    def forward(
        ctx: Any,
        likelihood: Likelihood,
        dtype: torch.dtype,
        data: Tensor,
        per_pixel: Tensor,
        per_patch: Tensor,
        out_weight: Tensor,
        out_bias: Tensor,
        *pairs: Tensor,
    ) -> Tensor:
        weights = [weight.to(dtype) for weight in pairs[::2]]
        # Twice a weight is exact in any float; see _tanh_of_half.
        doubled = [(2 * w, 2 * b.to(dtype)) for w, b in zip(weights, pairs[1::2], strict=True)]
        pixel_part, patch_part = (2 * per_pixel).to(dtype), (2 * per_patch).to(dtype)
        inputs = (per_pixel, per_patch, out_weight, out_bias, *pairs)
        total, sums = data.new_zeros(()), [torch.zeros_like(p) for p in inputs]
        row = out_weight.to(dtype)
        for now in _passes(len(data), pixel_part):
            hidden = _forward(pixel_part, patch_part[now], doubled)
            last = hidden[-1].to(data.dtype)
            output = torch.addmv(out_bias, last, out_weight[0])
            loss, slope = _loss_and_slope(likelihood, output, data[now].flatten())
            total += loss
            sums[2] += slope[None] @ last
            sums[3] += slope.sum()
            gradient = slope.to(dtype)[:, None] * row
            first, gradients = _backward(gradient, hidden, weights)
            for kept, new in zip(sums[4:], gradients, strict=True):
                kept += new
            first = first.unflatten(0, (-1, len(per_pixel)))
            sums[0] += first.sum(0)
            sums[1][now] = first.sum(1)
        ctx.save_for_backward(*sums)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factor: Tensor) -> tuple[Tensor | None, ...]:
        return (None, None, None, *(factor * kept for kept in ctx.saved_tensors))


def _passes(patches: int, pixel_part: Tensor) -> Iterator[slice]:
    """Return slices of a few patches, of nearly equal length."""
    most = _BYTES.get(pixel_part.device.type, _BYTES_ELSEWHERE) // pixel_part.nbytes
    passes = math.ceil(patches / max(1, most))
    bounds = [patches * i // passes for i in range(passes + 1)]
    return (slice(*pair) for pair in itertools.pairwise(bounds))


def _forward(pixel_part: Tensor, patch_part: Tensor, doubled: Sequence[Layer]) -> list[Tensor]:
    """Return all hidden layers, the first one's included, of shape (rows, hidden)."""
    first = pixel_part + patch_part[:, None]
    hidden = [_tanh_of_half(first.flatten(0, 1))]
    for weight, bias in doubled:
        hidden.append(_tanh_of_half(torch.addmm(bias, hidden[-1], weight.T)))
    return hidden


def _backward(
    gradient: Tensor, hidden: Sequence[Tensor], weights: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Return the gradient at the first layer before its tanh, and that of weights and biases."""
    found: list[Tensor] = []
    for weight, after, before in reversed(
        list(zip(weights, hidden[1:], hidden[:-1], strict=True))
    ):
        gradient = torch.ops.aten.tanh_backward(gradient, after)
        found = [gradient.T @ before, gradient.sum(0), *found]
        gradient = gradient @ weight
    return torch.ops.aten.tanh_backward(gradient, hidden[0]), found


def _loss_and_slope(likelihood: Likelihood, output: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
    """Return the summed loss of the rows, and its derivative by the output of each."""
    with torch.enable_grad():
        output = output.requires_grad_()
        loss = likelihood(output, data).sum()
        (slope,) = torch.autograd.grad(loss, output)
    return loss.detach(), slope


def _tanh_of_half(twice: Tensor) -> Tensor:
    """Return tanh(x) of 2x, overwriting it: tanh(x) = 2 sigmoid(2x) - 1.

    On CPUs torch's sigmoid is three to six times as fast as its tanh.
    """
    return torch.rsub(twice.sigmoid_(), -1, alpha=-2)


class _Tanh(torch.autograd.Function):
    """tanh by `_tanh_of_half`, with its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = _tanh_of_half(2 * x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        slope: Tensor = torch.ops.aten.tanh_backward(gradient, y)
        return slope
