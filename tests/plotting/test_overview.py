"""One figure of a result has image, domains, maps and mean cells."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from figures import LABELS, MAPS, inches
from phyvae import PatchGrid
from phyvae.plotting.overview import group_of, plot_cells, plot_overview, show_cells
from phyvae.plotting.panels import COLOURS

CELLS = {0: np.zeros((10, 20)), 2: np.full((10, 20), 3.0)}


@pytest.mark.parametrize("width", [3.4, 7.0])
def test_all_panels_are_there_and_none_is_empty(grid, width):
    cells = {k: np.random.default_rng(k).random((21, 21)) for k in range(3)}
    fig, axes = plot_overview(grid, LABELS, MAPS, cells, width=width)
    titles = [ax.get_title() for ax in axes]
    assert titles == [
        "image",
        "domains",
        "$z_1$",
        "$z_2$",
        *(f"mean cell, domain {k}" for k in range(3)),
    ]
    assert [ax for ax in fig.axes if ax.get_visible() and not ax.has_data()] == []


def test_pixels_that_are_not_square_have_their_shape(grid):
    _, axes = plot_overview(grid, LABELS, MAPS, {}, pixel_size=(0.2, 0.1), unit="nm")
    for ax in axes:
        assert ax.get_xlim() == pytest.approx((-0.05, 40.05))
        assert ax.get_ylim() == pytest.approx((120.1, -0.1))
        assert ax.get_aspect() == 1


def test_walls_are_on_the_image_too(grid):
    _, axes = plot_overview(grid, LABELS, MAPS, {})
    lines = [ax.collections[0].get_segments() for ax in axes[:2]]
    assert len(lines[0]) == len(lines[1]) == 2


def test_the_scale_bar_covers_no_wall(grid):
    rows, cols = grid.shape
    for corner, part in (("lower left", np.s_[:3, :3]), ("upper right", np.s_[-3:, :3])):
        labels = np.zeros((rows, cols), int)
        labels[part] = 1
        if corner == "upper right":
            labels[-3:, -3:], labels[:3, :3] = 1, 1
        _, axes = plot_overview(grid, labels, MAPS, {})
        (bar,) = axes[0].findobj(AnchoredSizeBar)
        assert bar.loc == AnchoredSizeBar.codes[corner]


def test_colour_bars_have_names_and_the_image_is_larger_than_the_maps(grid):
    _, axes = plot_overview(grid, LABELS, MAPS, {})
    assert [ax.child_axes[0].get_ylabel() for ax in axes[1:]] == ["domain", "$z_1$", "$z_2$"]
    wide = [inches(ax)[2] - inches(ax)[0] for ax in axes]
    assert wide[0] == pytest.approx(wide[1])
    assert wide[0] > 1.5 * wide[2]


def test_without_a_domain_there_is_no_panel_for_them(grid):
    _, axes = plot_overview(grid, np.full_like(LABELS, -1), MAPS, {})
    assert [ax.get_title() for ax in axes] == ["image", "$z_1$", "$z_2$"]


def test_sites_and_spectra_are_shown(site_grid, scattered, spectra):
    for grid in (site_grid, scattered, spectra):
        maps = np.random.default_rng(0).random((1, *grid.shape))
        labels = np.where(np.isfinite(grid.centers).all(-1), 0, -1)
        _, axes = plot_overview(grid, labels, maps, {}, pixel_size=(0.2, 0.1), unit="nm")
        assert len(axes) == 3


@pytest.mark.parametrize("width", [3.4, 7.0])
@pytest.mark.parametrize("shape", [(21, 21), (69, 23), (23, 69)])
def test_no_titles_overlap_and_all_text_is_in_the_figure(grid, width, shape):
    cells = {k: np.random.default_rng(k).random(shape) for k in range(5)}
    fig, axes = plot_overview(grid, LABELS, MAPS, cells, pixel_size=0.02, unit="nm", width=width)
    fig.draw_without_rendering()
    boxes = [ax.title.get_window_extent() for ax in axes]
    assert not any(one.overlaps(two) for one, two in itertools.combinations(boxes, 2))
    assert all(fig.bbox.x0 <= box.x0 and box.x1 <= fig.bbox.x1 for box in boxes)
    panels = [ax.get_window_extent() for ax in axes]
    assert not any(box.overlaps(panel) for box in boxes for panel in panels)
    inside = fig.get_tightbbox()
    assert inside.x0 >= 0
    assert inside.y0 >= 0
    assert inside.x1 <= fig.get_figwidth()


def test_what_was_left_out_is_hatched_and_blank_where_nan():
    image = np.random.default_rng(0).random((100, 120))
    image[:40, :50] = np.nan
    grid = PatchGrid(image, 20, mask=np.isfinite(image))
    held = grid.mask.numpy()
    labels = np.where(held, np.arange(held.shape[1]) > 5, -1)
    _, axes = plot_overview(grid, labels, np.where(held, labels, np.nan)[None], {}, image=image)
    assert axes[0].get_title() == "image (mask hatched)"
    for ax in axes[:2]:
        picture, *_, stripes = ax.get_images()
        assert picture.get_array().mask[:40, :50].all()
        assert stripes.get_array().count() > 300


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
    assert bars(axes) == [1, 1]


def test_each_cell_has_a_scale_bar():
    _, axes = plot_cells(CELLS, np.array([0.2, 0.1]), "nm")
    assert bars(axes) == [1, 1]


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
