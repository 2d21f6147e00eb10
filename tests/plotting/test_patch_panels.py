"""Mean cells have one grey scale, and the frame of their domain; mean spectra one axis."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_hex
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from phyvae.plotting.panels import COLOURS
from phyvae.plotting.patch_panels import group_of, plot_cells, show_cells

CELLS = {0: np.zeros((10, 20)), 2: np.full((10, 20), 3.0)}


def bars(axes):
    return [len(ax.findobj(AnchoredSizeBar)) for ax in axes]


def test_cells_share_a_grey_scale_and_keep_the_shape_of_pixels():
    _, axes = plt.subplots(1, 2)
    show_cells(axes, CELLS, np.array([0.2, 0.1]))
    for ax, label in zip(axes, (0, 2), strict=True):
        (image,) = ax.get_images()
        assert image.get_clim() == (0, 3)
        assert image.get_extent() == [0, 2, 2, 0]
        assert ax.get_title() == f"mean cell, domain {label}"
        assert to_hex(ax.spines["top"].get_edgecolor()) == COLOURS[label].lower()
    assert bars(axes) == [0, 0]


def test_the_first_cell_has_a_scale_bar_if_calibrated():
    _, axes = plot_cells(CELLS, np.array([0.2, 0.1]), "nm")
    assert bars(axes) == [1, 0]


def test_spectra_are_curves_in_one_panel_with_the_axis_of_the_scan():
    spectra = {k: np.arange(5.0) + k for k in (1, 3)}
    energy = np.linspace(400, 404, 5)
    fig, (ax,) = plot_cells(spectra, np.ones(2), "nm", (energy, "energy (eV)"))
    assert [line.get_ydata().tolist() for line in ax.lines] == [[1, 2, 3, 4, 5], [3, 4, 5, 6, 7]]
    assert all((line.get_xdata() == energy).all() for line in ax.lines)
    assert [to_hex(line.get_color()) for line in ax.lines] == [COLOURS[k].lower() for k in (1, 3)]
    assert (ax.get_xlabel(), ax.get_xlim()) == ("energy (eV)", (400, 404))
    legend = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["domain 1", "domain 3"]
    assert len(ax.get_xticks()) > 2
    fig.draw_without_rendering()
    assert legend.get_window_extent().x1 <= fig.bbox.x1
    assert ax.get_tightbbox().x0 >= 0
    assert ax.get_tightbbox().y0 >= 0


def test_many_domains_have_smaller_cells():
    cells = {k: np.zeros((9, 9)) for k in range(20)}
    assert (group_of(cells, np.ones(2), 4).columns, group_of(CELLS, np.ones(2), 4).columns) == (
        8,
        4,
    )
