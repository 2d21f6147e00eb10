"""Mean cells have one grey scale, and the frame of their domain."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_hex

from phyvae.plotting.panels import COLOURS
from phyvae.plotting.patch_panels import show_cells


def test_cells_share_a_grey_scale_and_keep_the_shape_of_pixels():
    _, axes = plt.subplots(1, 2)
    show_cells(axes, {0: np.zeros((10, 20)), 2: np.full((10, 20), 3.0)}, np.array([0.2, 0.1]))
    for ax, label in zip(axes, (0, 2), strict=True):
        (image,) = ax.get_images()
        assert image.get_clim() == (0, 3)
        assert image.get_extent() == [0, 2, 2, 0]
        assert ax.get_title() == f"mean cell, domain {label}"
        assert to_hex(ax.spines["top"].get_edgecolor()) == COLOURS[label].lower()


def test_spectra_are_curves():
    _, ax = plt.subplots()
    show_cells([ax], {1: np.arange(5.0)}, np.ones(2))
    assert ax.lines[0].get_ydata().tolist() == [0, 1, 2, 3, 4]
