"""Results read from a sealed file."""

import math
import os
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .._checks import as_device
from ..models.loading import built_model, load_weights
from ..patches.crops import RasterCrops, SiteCrops
from ..patches.grid import PatchGrid
from ..patches.sites import PlacedSites
from ..saving import sealed
from ..saving.contents import AnyPath, Mismatch, refusing
from ..saving.sealed import CheckpointError
from ..saving.structures import check_fields, unpacked
from .result import Domains
from .storing import CLASSES

__all__ = ["load_domains"]


def load_domains(path: AnyPath, *, device: torch.device | str | None = None) -> Domains:
    """Return the result that ``found.save`` has written, to the bit.

    Parameters
    ----------
    path
        The file.
    device
        Where the model is put, for ``found.apply``; as for `ShiftVAE`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CheckpointError
        If the file is foreign, of another format version, truncated or altered, or holds no
        result. Nothing in a file is ever unpickled or executed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import phyvae
    >>> noise = np.random.default_rng(0).random((64, 64))
    >>> found = phyvae.find_domains(noise, progress=False)
    >>> path = Path(tempfile.mkdtemp()) / "scan.phyvae"
    >>> found.save(path)
    >>> phyvae.load_domains(path).answer == found.answer
    True
    """
    where = as_device(device)
    record, tensors = sealed.read(path)
    if "domains" not in record:
        raise CheckpointError(
            f"{os.fspath(path)!r} holds a model without domains; phyvae.load_model(path) loads it."
        )
    with refusing(path):
        # Weights have names without a slash.
        weights = {name: one for name, one in tensors.items() if not name.startswith("part/")}
        model = built_model(record["model"], weights)
        load_weights(model, record["model"], weights)
        parts = {name: unpacked(v, tensors, CLASSES) for name, v in record["domains"].items()}
        parts |= {"model": model, "grid": _grid(**parts["grid"])}
        _check(parts)
        found = Domains(**parts)
        found.model.to(where)
    return found


def _grid(
    image: Float[Tensor, "..."],
    limits: tuple[float, float],
    crops: RasterCrops | SiteCrops,
    placed: PlacedSites | None,
    specimen: Bool[Tensor, "height width"] | None,
    pixel_size: tuple[float, float] | None = None,
) -> PatchGrid:
    """Return the grid of stored parts, if its patches lie in the image."""
    if not _within(crops, tuple(image.shape)) or not limits[0] < limits[1]:
        raise Mismatch("its patches are not those of its image.")
    shown = None if specimen is None else specimen.numpy()
    return PatchGrid.of_crops(image, limits, crops, placed, shown, pixel_size)


def _within(crops: RasterCrops | SiteCrops, shape: tuple[int, ...]) -> bool:
    """Return whether all patches lie in an image."""
    if isinstance(crops, SiteCrops):
        corners = crops.corners[crops.filled]
        room = torch.tensor(shape) - torch.tensor(crops.patch_shape)
        return math.prod(crops.shape) == len(crops.corners) and bool(
            ((corners >= 0) & (corners <= room)).all()
        )
    if len(crops.patch_shape) == 1:
        there = RasterCrops.of_spectra(shape, crops.step)
    else:
        there = RasterCrops.over(shape, crops.patch_shape, crops.step)
    fits = crops.filled is None or crops.filled.shape == crops.shape
    return fits and (there.shape, there.patch_shape) == (crops.shape, crops.patch_shape)


def _check(parts: dict[str, Any]) -> None:
    """Raise an error unless the parts of a result go together."""
    check_fields(Domains, parts)
    grid, scan = parts["grid"], parts["scan"]
    if (
        parts["labels"].shape != grid.shape
        or scan.image.shape != grid.image.shape[:2]
        or parts["model"].patch_shape != grid.patch_shape
    ):
        raise Mismatch("its labels, scan and model are not those of its patches.")
