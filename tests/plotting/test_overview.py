"""One figure of a result has image, domains, maps and mean cells."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from figures import LABELS, MAPS
from phyvae import PatchGrid
from phyvae.plotting.overview import (
    Group,
    add_hatching,
    add_scale_bar,
    group_of,
    placed,
    plot_cells,
    plot_overview,
    recorded,
    round_length,
    show_cells,
    stripes_of,
)
from phyvae.plotting.panels import COLOURS

CELLS = {0: np.zeros((10, 20)), 2: np.full((10, 20), 3.0)}
GROUPS = [Group(6, 0.8, 4), Group(3, 3.0, 4), Group(20, 1.0, 8, right=0.15), Group(5, 0.25, 2)]


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


def inches(ax):
    box = ax.get_position()
    width, height = ax.figure.get_size_inches()
    return box.x0 * width, box.y0 * height, box.x1 * width, box.y1 * height


@pytest.mark.parametrize("width", [3.4, 7.0])
def test_panels_have_their_shape_and_do_not_overlap(width):
    fig, groups = placed(GROUPS, width)
    assert [len(axes) for axes in groups] == [6, 3, 20, 5]
    for group, axes in zip(GROUPS, groups, strict=True):
        for ax in axes:
            left, bottom, right, top = inches(ax)
            assert (top - bottom) / (right - left) == pytest.approx(group.aspect)
            assert left >= 0
            assert bottom >= 0
            assert right + group.right <= width + 1e-6
            assert top <= fig.get_figheight()
    boxes = [inches(ax) for axes in groups for ax in axes]
    for one, two in itertools.combinations(boxes, 2):
        apart = one[2] <= two[0] or two[2] <= one[0] or one[3] <= two[1] or two[3] <= one[1]
        assert apart


def test_gaps_are_even_and_no_band_is_empty():
    fig, (first, tall, *_) = placed(GROUPS, 7.0)
    lefts = [inches(ax)[0] for ax in tall]
    assert lefts[2] - lefts[1] == pytest.approx(lefts[1] - lefts[0])
    assert inches(first[-1])[1] - inches(tall[0])[3] < 0.5
    assert fig.get_figheight() - inches(first[0])[3] < 0.4


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


@pytest.fixture
def recording():
    image = np.random.default_rng(0).normal(10, 1, (60, 80))
    image[:20, :30] = np.nan
    image[40:, 50:] = 99  # residue
    return image


@pytest.fixture
def masked(recording):
    return PatchGrid(recording, 12, mask=np.isfinite(recording) & (recording < 50))


def test_what_is_not_recorded_is_nan_and_residue_is_bright(masked, recording):
    picture, hidden = recorded(masked, recording)
    assert np.isnan(picture[:20, :30]).all()
    assert (picture[40:, 50:] == 1).all()
    np.testing.assert_array_equal(hidden, ~masked.specimen.numpy())
    np.testing.assert_array_equal(picture[~hidden], masked.image.numpy()[~hidden])
    assert np.isfinite(masked.image.numpy()).all()  # the grid is left as it was


def test_without_a_mask_it_is_the_image_of_the_grid(grid):
    picture, hidden = recorded(grid, grid.image)
    np.testing.assert_array_equal(picture, grid.image.numpy())
    assert not hidden.any()


def test_spectra_that_were_not_recorded_are_nan():
    cube = np.random.default_rng(0).random((9, 10, 20))
    cube[:3, :4] = np.nan
    grid = PatchGrid.from_spectra(cube, mask=np.isfinite(cube).all(-1))
    picture, hidden = recorded(grid, cube.mean(-1))
    assert np.isnan(picture).sum() == hidden.sum() == 12


def test_stripes_are_over_hidden_pixels_alone():
    hidden = np.zeros((50, 70), bool)
    hidden[10:40, 20:60] = True
    stripes = stripes_of(hidden)
    assert not stripes[~hidden].any()
    assert stripes[hidden].mean() == pytest.approx(0.25, abs=0.05)
    _, ax = plt.subplots()
    add_hatching(ax, hidden, (0, 7, 5, 0))
    (shown,) = ax.get_images()
    assert shown.get_extent() == [0, 7, 5, 0]
    np.testing.assert_array_equal(~shown.get_array().mask, stripes == 1)
