"""Panels in rows, placed to the inch: as large as their shapes allow, with even gaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arguments import as_width

__all__ = ["ONE_LINE", "Group", "placed"]

_TITLE = 0.22  # inches above a panel, for each line of its title
_MARGIN = 0.06
ONE_LINE, _TWO_LINES = 1.0, 0.78  # inches that a panel needs for a title of one line, or of two


@dataclass(frozen=True)
class Group:
    """Panels of one shape, which begin a row.

    count: Number of panels.
    aspect: Height of a panel over its width.
    columns: Number of panels in a row, of those that are not tall.
    left, right, below: Inches for the labels and the colour bar of each.
    """

    count: int
    aspect: float
    columns: int
    left: float = 0.0
    right: float = 0.5
    below: float = 0.04


def placed(groups: Sequence[Group], width: float) -> tuple[Any, list[list[Any]]]:
    """Return a figure as high as its panels need, and the panels of each group.

    A panel fits into its column, and is at most 1.4 times as high as that is wide; tall panels
    stand closer.
    """
    import matplotlib.pyplot as plt

    inches, top, places = as_width(width), _MARGIN, []
    for group in groups:
        across = (inches - _MARGIN) / group.columns
        around = group.left + group.right
        wide = (across - around) * min(1.0, 1.4 / group.aspect)
        left = max(group.left, min((_TWO_LINES - wide) / 2, across - wide - group.right))
        apart = min(across, max(left + wide + group.right, _TWO_LINES))
        each = int((inches - _MARGIN) / apart + 1e-6)
        high, above = wide * group.aspect, _TITLE * (1 if wide >= ONE_LINE else 1.7)
        for row in range(-(-group.count // each)):
            top += above
            for column in range(min(each, group.count - row * each)):
                places.append((_MARGIN + left + column * apart, top, wide, high))
            top += high + group.below
    fig = plt.figure(figsize=(inches, top + _MARGIN))
    scale = np.array((inches, top + _MARGIN))
    made = [
        fig.add_axes((x / scale[0], 1 - (y + high) / scale[1], wide / scale[0], high / scale[1]))
        for x, y, wide, high in places
    ]
    ends = np.cumsum([group.count for group in groups])
    return fig, [
        list(made[end - group.count : end]) for group, end in zip(groups, ends, strict=True)
    ]
