"""Scans of a file, a list of one for an image."""

import os
from collections.abc import Sequence

import numpy as np

from ..scans.scan import Scan

__all__ = ["frames_of"]


def frames_of(path: str, channel: str | None = None) -> Sequence[Scan]:
    """Return the frames of a file; of an image, the one."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"there is no file {path!r}.")
    loaded = np.load(path, mmap_mode="r", allow_pickle=False)
    array = loaded[channel or loaded.files[0]] if hasattr(loaded, "files") else loaded
    name = os.path.basename(path)
    if array.ndim == 3:
        return [Scan(one, name=f"{name}[{k}]") for k, one in enumerate(array)]
    return [Scan(array, name=name)]
