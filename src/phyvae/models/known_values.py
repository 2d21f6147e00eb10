"""Known values of patches, classes or properties, as pyroVED's models take them."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

__all__ = ["check_classes", "check_complete", "check_given", "check_width", "unit_vectors"]


def unit_vectors(known: Float[Tensor, "n values"], count: int) -> Float[Tensor, "n count"]:
    """Return classes, a column of numbers, as unit vectors; `count` values are left alone."""
    if known.shape[1] == count:
        return known
    return F.one_hot(known[:, 0].long(), count).to(known)


def check_given(known: Tensor | None, model: str, values: str) -> Tensor:
    """Return the known values, or raise an error if there are none."""
    if known is None:
        raise ValueError(f"{model} needs {values} of each patch: grid.with_known(values).")
    return known


def check_complete(known: Tensor, model: str) -> None:
    """Raise an error if a value is missing."""
    missing = int(known.isnan().any(1).sum())
    if missing:
        raise ValueError(
            f"{model} needs the values of each patch, but {missing} of {len(known)} are unknown."
        )


def check_width(known: Tensor, count: int, model: str) -> None:
    """Raise an error unless there are `count` known values per patch."""
    if known.shape[1] != count:
        raise ValueError(
            f"the grid has {known.shape[1]} known value(s) per patch, but {model} takes {count}."
        )


def check_classes(known: Tensor, count: int, model: str) -> None:
    """Raise an error unless the known values are classes from 0 to `count` - 1."""
    check_width(known, 1, model)
    values = known[~known.isnan()]
    if ((values != values.round()) | (values < 0) | (values >= count)).any():
        raise ValueError(
            f"the grid's known values lie in [{values.min():g}, {values.max():g}], but {model} "
            f"takes classes, whole numbers from 0 to {count - 1}."
        )
