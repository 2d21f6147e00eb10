"""A scale bar has a round length and is at most a third as long as the image is wide."""

import matplotlib.pyplot as plt
import pytest
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from phyvae.plotting.scale_bar import add_scale_bar, round_length


@pytest.mark.parametrize(
    ("most", "length"),
    [(1, 1), (1.99, 1), (2, 2), (4.9, 2), (5, 5), (9.9, 5), (10, 10), (0.3, 0.2), (0.05, 0.05),
     (1234, 1000), (0.0199, 0.01)],
)  # fmt: skip
def test_lengths_begin_with_1_2_or_5(most, length):
    assert round_length(most) == length


@pytest.mark.parametrize(
    ("width", "unit", "label"),
    [(7, "nm", "2 nm"), (1, "nm", "0.2 nm"), (9000, "nm", "2 µm"), (9000, "px", "2000 px")],
)
def test_a_bar_has_its_length_and_unit(width, unit, label):
    ax = plt.figure().add_subplot()
    ax.set(xlim=(0, width), ylim=(width, 0))
    add_scale_bar(ax, unit)
    (bar,) = [one for one in ax.artists if isinstance(one, AnchoredSizeBar)]
    assert bar.txt_label.get_text() == label
    number = float(label.split()[0]) * (1000 if "µm" in label else 1)
    assert bar.size_bar.get_children()[0].get_width() == pytest.approx(number)
