"""What would be done with a file, in words and within seconds."""

from typing import Any

import numpy as np

from ..scans.surveying import survey
from .jobs import frames_of
from .preparing import Request, prepared

__all__ = ["preview"]


def preview(path: str, channel: str | None, given: dict[str, Any]) -> tuple[str, bool]:
    """Return the choices that `find_domains` would make, as text, and whether it could answer.

    Parameters
    ----------
    path, channel
        The file.
    given
        Arguments of `find_domains`.
    """
    scans = frames_of(path, channel)
    scan = scans[0]
    wanted = {name: given.get(name) for name in ("size", "step", "flatten")}
    found = prepared([scan], Request(**wanted))
    grid = found.grids[0]
    lines = [repr(scan)]
    if len(scans) > 1:
        lines.append(f"  frames: {len(scans)}; the model of the first one is used for all")
    lines.append(f"  patches: {grid.shape[0]} x {grid.shape[1]}")
    lines += [f"  {name}: {choice}" for name, choice in found.settings.items()]
    if scan.cube is None and np.isfinite(scan.image).all():
        seen = survey(scan.image)
        lines.append(f"  flaws: {seen.flaws}; the noise of a pixel is {seen.noise:.3g}")
    if found.problem:
        lines.append(f"  cannot be answered: {found.problem}")
    return "\n".join(lines), not found.problem
