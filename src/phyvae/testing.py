"""The laws that every physics loss obeys, to be run on your own."""

from collections.abc import Callable, Collection

import torch
from torch import Tensor

from ._checks import check_takes
from .physics import PhysicsLoss

__all__ = ["LAWS", "check_physics_loss"]

Loss = PhysicsLoss | Callable[..., Tensor]


def check_physics_loss(loss: Loss, *, except_for: Collection[str] = ()) -> None:
    """Check the laws of physics losses; list those that fail, and why they matter.

    Parameters
    ----------
    loss
        A `PhysicsLoss`, or a callable ``(maps, mask=None) -> scalar``.
    except_for
        Names of laws that this loss breaks on purpose, keys of `LAWS`; ``Maximize`` breaks
        ``"a flat map is free"`` and ``"noise costs more than one wall"``.

    Raises
    ------
    AssertionError
        With one line per broken law.
    ValueError
        If `except_for` names no law.

    Examples
    --------
    >>> import phyvae
    >>> list(phyvae.testing.LAWS)[:2]
    ['it is a scalar >= 0', 'it only looks at the map']
    >>> phyvae.testing.check_physics_loss(phyvae.EdgeLoss())
    >>> def flux(maps, mask=None):
    ...     return maps.diff(dim=-1).sum()
    >>> phyvae.testing.check_physics_loss(flux)
    Traceback (most recent call last):
    ...
    AssertionError: ...
    """
    if isinstance(loss, type):
        raise TypeError(f"loss={loss.__name__} is a class; pass {loss.__name__}().")
    if isinstance(except_for, str) or not set(except_for) <= set(LAWS):
        raise ValueError(f"except_for={except_for!r} must be a list of names among {list(LAWS)}.")
    broken = []
    for name, law in LAWS.items():
        if name in except_for:
            continue
        try:
            complaint = law(loss)
        except Exception as error:  # a user's loss may raise anything
            complaint = f"it raised {type(error).__name__}: {error}"
        if complaint:
            broken.append(f"- {name}: {complaint}")
        if complaint and law in (_is_a_scalar, _it_only_looks):
            break  # the other laws compare numbers, and would fail for the same reason
    if broken:
        raise AssertionError(f"{loss!r} breaks {len(broken)} law(s):\n" + "\n".join(broken))


def _is_a_scalar(loss: Loss) -> str | None:
    value = loss(_noise())
    if not isinstance(value, Tensor) or value.ndim != 0:
        if not isinstance(value, Tensor):
            kind = type(value).__name__
            return f"it returned a {kind}, not a tensor; compute it from the maps with torch alone"
        return f"it returned shape {tuple(value.shape)}, not a scalar; end it with .mean()"
    if not value.isfinite() or value < 0:
        return f"it returned {float(value):.4g}; eq. 2 multiplies by it, so it must be >= 0"
    return None


def _scale_and_offset_do_not_matter(loss: Loss) -> str | None:
    maps = _noise()
    before, after = loss(maps).item(), loss(5 * maps - 2).item()
    if abs(before - after) > 1e-6 * max(1, abs(before)):
        return (
            f"{before:.6g} became {after:.6g} on 5 z - 2, so the network can lower it by "
            "shrinking or offsetting the map; standardise the map first"
        )
    return None


def _flat_map_is_free(loss: Loss) -> str | None:
    maps = torch.full((2, 9, 7), 0.3, dtype=torch.float64, requires_grad=True)
    value = loss(maps)
    if value.abs() > 1e-9:
        return f"it costs {value.item():.4g}, but a map without any wall must cost nothing"
    if value.requires_grad and not _gradient(value, maps).isfinite().all():
        return "its gradient is NaN or Inf there, which ends training when a map collapses"
    return None


def _gradient_is_right(loss: Loss) -> str | None:
    maps = _noise(rows=5, cols=6).requires_grad_()
    if not loss(maps).requires_grad:
        return "it returns a number without gradient, so it cannot train the encoder"
    try:
        torch.autograd.gradcheck(loss, (maps,), fast_mode=False)
    except RuntimeError as error:
        return f"autograd and finite differences disagree ({str(error).splitlines()[0]})"
    return None


def _noise_costs_more_than_one_wall(loss: Loss) -> str | None:
    wall = torch.zeros(2, 24, 16, dtype=torch.float64)
    wall[:, 12:] = 1
    of_wall, of_noise = loss(wall).item(), loss(_noise(rows=24, cols=16)).item()
    if not of_wall < of_noise:
        return f"a wall costs {of_wall:.4g} and noise {of_noise:.4g}, so it rewards noise"
    return None


def _takes_no_mask(loss: Loss) -> str | None:
    form = loss.forward if isinstance(loss, PhysicsLoss) else loss
    try:
        check_takes(form, (None, None), "loss", "")
    except TypeError:
        return (
            "it takes no mask, so it serves grids without empty cells alone; define it as "
            "loss(maps, mask=None), with a mask that is true where a cell holds a patch"
        )
    return None


def _mask_of_everything_is_no_mask(loss: Loss) -> str | None:
    if complaint := _takes_no_mask(loss):
        return complaint
    maps = _noise()
    whole = torch.ones(maps.shape[1:], dtype=torch.bool)
    without, with_mask = loss(maps).item(), loss(maps, whole).item()
    if abs(without - with_mask) > 1e-9 * max(1, abs(without)):
        return f"{without:.6g} became {with_mask:.6g} with a mask that is true everywhere"
    return None


def _masked_out_cells_do_not_matter(loss: Loss) -> str | None:
    if complaint := _takes_no_mask(loss):
        return complaint
    maps = _noise()
    mask = torch.ones(maps.shape[1:], dtype=torch.bool)
    mask[3:6, 2:5] = False
    before = loss(maps, mask).item()
    for outside in (99.0, torch.nan):
        other = torch.where(mask, maps, outside).requires_grad_()
        value = loss(other, mask)
        if not abs(before - value.item()) <= 1e-9 * max(1, abs(before)):
            return (
                f"{before:.6g} became {value.item():.6g} when only cells outside the mask "
                f"changed, to {outside}; no patch is there, so exchange them by torch.where(mask, "
                "maps, 0.0) and leave them out of sums and means"
            )
        if value.requires_grad and not _gradient(value, other).isfinite().all():
            return (
                f"its gradient is NaN or Inf with {outside} in cells outside the mask, which ends "
                "training; exchange them by torch.where before anything is computed"
            )
    return None


def _precision_does_not_matter(loss: Loss) -> str | None:
    maps = _noise(rows=16, cols=11)
    double, single = loss(maps).item(), loss(maps.float()).item()
    if abs(double - single) > 1e-4 * max(1, abs(double)):
        return f"float64 gives {double:.6g} and float32 {single:.6g}; mind the dtype of constants"
    return None


def _mirrored_map_costs_the_same(loss: Loss) -> str | None:
    maps = _noise()
    before = loss(maps).item()
    for side, axis in (("upside down", -2), ("left to right", -1)):
        after = loss(maps.flip(axis)).item()
        if abs(before - after) > 1e-6 * max(1, abs(before)):
            return (
                f"{before:.6g} became {after:.6g} on the map turned {side}, so it prefers one end "
                "of the scan; look at the neighbours on both sides of a cell alike"
            )
    return None


def _it_only_looks(loss: Loss) -> str | None:
    maps = _noise()
    before, random = maps.clone(), torch.get_rng_state()
    first = loss(maps).item()
    if not torch.equal(maps, before):
        return "it changes the map in place, and the decoder would see the change; use a copy"
    if not torch.equal(torch.get_rng_state(), random):
        return (
            "it uses torch's global generator, so no run could be repeated; use a generator of "
            "its own"
        )
    second = loss(maps).item()
    if first != second:
        return (
            f"{first:.6g} became {second:.6g} on the same map, so no run could be repeated; "
            "random numbers and counters must not change its value within an epoch"
        )
    return None


LAWS: dict[str, Callable[[Loss], str | None]] = {
    "it is a scalar >= 0": _is_a_scalar,
    "it only looks at the map": _it_only_looks,
    "scale and offset of the latent do not matter": _scale_and_offset_do_not_matter,
    "a flat map is free": _flat_map_is_free,
    "its gradient is right": _gradient_is_right,
    "noise costs more than one wall": _noise_costs_more_than_one_wall,
    "a mask of everything is no mask": _mask_of_everything_is_no_mask,
    "masked-out cells do not matter": _masked_out_cells_do_not_matter,
    "precision does not matter": _precision_does_not_matter,
    "a mirrored map costs the same": _mirrored_map_costs_the_same,
}
"""Each law by name: a function of the loss that returns a complaint, or None."""


def _gradient(value: Tensor, maps: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(value, maps, allow_unused=True)
    return torch.zeros_like(maps) if gradient is None else gradient


def _noise(rows: int = 9, cols: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, rows, cols, dtype=torch.float64, generator=generator)
