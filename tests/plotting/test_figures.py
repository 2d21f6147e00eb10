"""A figure shows the data it is given, where they are, on scales that can be read off."""

import itertools
import subprocess
import sys
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from torch.testing import assert_close

from phyvae import ShiftVAE, plotting
from phyvae.patches.grid import PatchGrid
from phyvae.plotting._panels import COLOURS
from phyvae.plotting.history import CURVES

GENERATOR = np.random.default_rng(0)
MAPS = GENERATOR.standard_normal((2, 30, 20))
LABELS = np.repeat([[0], [1], [2]], 10, axis=0) * np.ones((1, 20), int)  # walls below rows 9, 19


DOZEN = np.arange(12)


class Model:
    """Decodes z into patches whose mean is z_1 + 10 z_2."""

    def __init__(self, patch_shape, latent_dim):
        self.patch_shape, self.latent_dim = patch_shape, latent_dim

    def decode(self, z):
        weights = torch.tensor([1.0, 10.0, 100.0])[: self.latent_dim]
        value = (z @ weights).reshape(-1, *[1] * len(self.patch_shape))
        return value.expand(-1, *self.patch_shape).contiguous()


def history(n=5, offset=0.0):
    curve = np.linspace(1, 2, n) + offset
    names = ("loss", "neg_elbo", "reconstruction", "kl", "psi", "beta", "seconds")
    return SimpleNamespace(
        epoch=np.arange(n, dtype=float), **{name: curve + k for k, name in enumerate(names)}
    )


@pytest.fixture(scope="module")
def grid():
    # Patches of 21 px at step 20: their cells are 0-20, 20-40, ..., 580-600 px.
    return PatchGrid(np.random.default_rng(0).random((601, 401)), size=21, step=20)


@pytest.fixture(scope="module")
def spectra():
    return PatchGrid.from_spectra(np.random.default_rng(0).random((8, 12, 16)))


@pytest.fixture(autouse=True)
def nothing_shown_and_nothing_left(monkeypatch):
    def shown(*args, **kwargs):
        raise AssertionError("a figure was shown")

    monkeypatch.setattr(plt, "show", shown)
    yield
    plt.close("all")


FIGURES = {
    "patches": lambda g, s: plotting.plot_patches(g),
    "spectra": lambda g, s: plotting.plot_patches(s, 3),
    "maps": lambda g, s: plotting.plot_latent_maps(MAPS, LABELS),
    "segmentation": lambda g, s: plotting.plot_segmentation(g, LABELS),
    "comparison": lambda g, s: plotting.plot_comparison({"a": (MAPS, LABELS), "b": (MAPS, None)}),
    "manifold": lambda g, s: plotting.plot_manifold(Model((4, 6), 2)),
    "manifold of spectra": lambda g, s: plotting.plot_manifold(Model((16,), 3)),
    "distribution": lambda g, s: plotting.plot_distribution(MAPS, LABELS),
    "distribution of many": lambda g, s: plotting.plot_distribution(
        MAPS, np.resize(DOZEN, LABELS.shape)
    ),
    "distribution of one": lambda g, s: plotting.plot_distribution(MAPS[:1], LABELS),
    "history": lambda g, s: plotting.plot_history({"a": history(), "b": history(offset=1)}),
}


def image_of(ax):
    return ax.get_images()[0]


def walls_of(ax):
    return np.array(ax.collections[0].get_segments())


def texts(fig):
    return [t for t in fig.findobj(mpl.text.Text) if t.get_text().strip() and t.get_visible()]


def ticks_out_of_view(fig):
    return {
        text
        for ax in fig.axes
        for axis in (ax.xaxis, ax.yaxis)
        for tick in axis.get_major_ticks()
        for text in (tick.label1, tick.label2)
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }


def test_importing_the_module_leaves_matplotlib_unimported():
    code = "import phyvae.plotting, sys; raise SystemExit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES.keys())
class TestEveryFigure:
    def test_is_returned_once_with_an_array_of_its_axes(self, draw, grid, spectra):
        fig, axes = draw(grid, spectra)
        assert isinstance(fig, mpl.figure.Figure)
        assert isinstance(axes, np.ndarray)
        assert all(ax.figure is fig for ax in axes.flat)
        assert len(plt.get_fignums()) == 1

    def test_draws_from_no_global_generator_and_sets_no_global_parameter(
        self, draw, grid, spectra
    ):
        before = dict(mpl.rcParams), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
        draw(grid, spectra)
        assert dict(mpl.rcParams) == before[0]
        assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
        assert (torch.get_rng_state() == before[2]).all()

    def test_cuts_no_text_off_and_keeps_it_readable(self, draw, grid, spectra):
        fig, _ = draw(grid, spectra)
        fig.canvas.draw()
        page = fig.bbox.padded(1)
        box = fig.get_tightbbox().transformed(fig.dpi_scale_trans)
        assert page.x0 <= box.x0 <= box.x1 <= page.x1
        assert page.y0 <= box.y0 <= box.y1 <= page.y1
        assert min(t.get_fontsize() for t in texts(fig)) >= 7

    def test_is_the_same_under_a_style_that_puts_row_0_at_the_bottom(self, draw, grid, spectra):
        with mpl.rc_context({"image.origin": "lower", "image.aspect": "auto"}):
            _, axes = draw(grid, spectra)
        for image in (i for ax in axes.flat for i in ax.get_images()):
            assert image.origin == "upper"
            assert image.axes.yaxis_inverted()


class TestLatentMaps:
    @pytest.mark.parametrize(("channels", "width"), [(1, 3.4), (2, 3.4), (2, 7.0), (6, 7.0)])
    def test_has_a_titled_panel_per_channel_and_one_for_the_labels(self, channels, width):
        maps = np.random.default_rng(0).random((channels, 10, 25))
        fig, axes = plotting.plot_latent_maps(maps, np.zeros((10, 25), int), width=width)
        names = [f"$z_{k}$" for k in range(1, channels + 1)]
        assert [ax.get_title() for ax in axes] == [*names, "labels"]
        assert [ax for ax in fig.axes if ax.get_visible()] == list(axes)
        assert fig.get_figwidth() == width

    def test_shows_the_data_on_scales_of_their_own_range(self):
        _, axes = plotting.plot_latent_maps(torch.from_numpy(MAPS), LABELS)
        for ax, channel in zip(axes, MAPS, strict=False):
            assert_close(np.asarray(image_of(ax).get_array()), channel)
            bar = image_of(ax).colorbar
            assert_close((bar.vmin, bar.vmax), (channel.min(), channel.max()))
        assert (image_of(axes[-1]).get_array() == LABELS).all()

    def test_colours_labels_discretely_and_by_their_value(self):
        image = image_of(plotting.plot_latent_maps(MAPS, LABELS + 1)[1][-1])
        assert image.get_interpolation() == "nearest"
        assert list(image.colorbar.get_ticks()) == [1, 2, 3]
        drawn = [image.cmap(image.norm(k))[:3] for k in (1, 2, 3)]
        assert drawn == [to_rgb(COLOURS[k]) for k in (1, 2, 3)]

    def test_draws_walls_exactly_between_unequal_labels(self):
        _, axes = plotting.plot_latent_maps(MAPS, LABELS)
        for ax in axes:
            walls = walls_of(ax)
            assert walls.shape == (2, 21, 2)  # two lines, through the corners of 20 cells
            assert set(walls[..., 1].flat) == {9.5, 19.5}
            assert (walls[..., 0].min(), walls[..., 0].max()) == (-0.5, 19.5)

    def test_puts_walls_of_columns_at_columns(self):
        labels = np.zeros((30, 20), int)
        labels[:, 4:] = 1
        walls = walls_of(plotting.plot_latent_maps(MAPS, labels)[1][0])
        assert set(walls[..., 0].flat) == {3.5}
        assert (walls[..., 1].min(), walls[..., 1].max()) == (-0.5, 29.5)

    def test_counts_in_map_pixels_without_a_grid(self):
        _, axes = plotting.plot_latent_maps(MAPS)
        assert image_of(axes[0]).get_extent() == [-0.5, 19.5, 29.5, -0.5]
        assert axes[0].get_xlabel() == "x (map px)"

    def test_counts_in_image_pixels_with_a_grid(self, grid):
        _, axes = plotting.plot_latent_maps(MAPS, np.arange(600).reshape(30, 20) // 300, grid=grid)
        assert image_of(axes[0]).get_extent() == [0, 400, 600, 0]
        assert set(walls_of(axes[0])[..., 1].flat) == {300}  # a wall at y = 300 px is at 300
        assert axes[0].get_ylabel() == "y (px)"

    def test_counts_in_the_unit_of_the_pixel_size(self, grid):
        _, axes = plotting.plot_latent_maps(MAPS, grid=grid, pixel_size=0.5, unit="nm")
        assert image_of(axes[0]).get_extent() == [0, 200, 300, 0]
        assert axes[0].get_xlabel() == "x (nm)"

    def test_leaves_white_what_is_not_finite_or_in_no_domain(self):
        maps, labels = MAPS.copy(), LABELS.copy()
        maps[0, 0, 0], maps[0, 0, 1], labels[0, 0] = np.nan, np.inf, -1
        _, axes = plotting.plot_latent_maps(maps, labels)
        assert image_of(axes[0]).get_array().mask.sum() == 2
        assert image_of(axes[0]).get_clim() == (maps[0, 1:].min(), MAPS[0].max())
        assert image_of(axes[-1]).get_array().mask.sum() == 1

    def test_draws_a_collapsed_channel_and_a_single_domain(self):
        fig, _ = plotting.plot_latent_maps(np.zeros((1, 5, 4)), np.zeros((5, 4), int))
        fig.canvas.draw()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"maps": MAPS[0]}, r"maps has shape \(30, 20\), but must be \(channels"),
            ({"maps": MAPS * np.nan}, "maps has no finite value in channel 0"),
            ({"labels": LABELS.T}, r"labels has shape \(20, 30\)"),
            ({"labels": LABELS * 1.0}, "dtype float64, but must be integers"),
            ({"maps": MAPS[:, 1:], "labels": None}, r"grid has shape \(30, 20\)"),
            ({"pixel_size": 0.1}, "pixel_size=0.1 and unit='px' go together"),
            ({"unit": "nm"}, "pixel_size=None and unit='nm' go together"),
            ({"pixel_size": -1.0, "unit": "nm"}, "pixel_size=-1.0"),
            ({"pixel_size": 0.1, "unit": "nm", "grid": None}, "pixel_size=0.1 .* pass grid"),
        ],
    )
    def test_refuses_what_does_not_fit(self, arguments, message, grid):
        with pytest.raises(ValueError, match=message):
            plotting.plot_latent_maps(**{"maps": MAPS, "labels": LABELS, "grid": grid} | arguments)
        assert not plt.get_fignums()


class TestSegmentation:
    def test_lays_labels_over_the_image_where_their_patches_are(self, grid):
        _, (ax,) = plotting.plot_segmentation(grid, LABELS)
        image, domains = ax.get_images()
        assert_close(np.asarray(image.get_array()), grid.image.numpy())
        assert image.get_extent() == [-0.5, 400.5, 600.5, -0.5]
        assert (domains.get_array() == LABELS).all()
        assert domains.get_extent() == [0, 400, 600, 0]
        assert set(walls_of(ax)[..., 1].flat) == {200, 400}
        assert ax.get_xlim() == (-0.5, 400.5)
        assert ax.get_ylim() == (600.5, -0.5)

    def test_takes_the_original_image_and_a_physical_pixel_size(self, grid):
        image = np.asarray(grid.image) * 1e3
        _, (ax,) = plotting.plot_segmentation(
            image, torch.from_numpy(LABELS), grid=grid, pixel_size=0.1, unit="nm"
        )
        assert_close(np.asarray(ax.get_images()[0].get_array()), image)
        assert_close(ax.get_images()[1].get_extent(), [0.0, 40.0, 60.0, 0.0])
        assert ax.get_ylabel() == "y (nm)"

    def test_takes_labels_of_every_image_pixel(self):
        _, (ax,) = plotting.plot_segmentation(MAPS[0], LABELS)
        assert ax.get_images()[1].get_extent() == [-0.5, 19.5, 29.5, -0.5]

    def test_takes_the_grid_of_a_spectrum_image(self, spectra):
        _, (ax,) = plotting.plot_segmentation(spectra, np.zeros((8, 12), int))
        assert_close(np.asarray(ax.get_images()[0].get_array()), spectra.image.mean(-1).numpy())

    def test_refuses_an_image_that_is_none(self):
        with pytest.raises(ValueError, match=r"image has shape \(2, 30, 20\)"):
            plotting.plot_segmentation(MAPS, LABELS)

    def test_refuses_an_image_of_another_grid(self, grid):
        with pytest.raises(ValueError, match=r"image has shape \(30, 20\), but grid"):
            plotting.plot_segmentation(MAPS[0], LABELS, grid=grid)


class TestPatches:
    def test_shows_patches_where_their_outlines_are(self, grid):
        _, axes = plotting.plot_patches(grid, n=4)
        assert len(axes) == 5
        for ax, outline in zip(axes[1:], axes[0].lines, strict=True):
            x, y = (np.unique(values) for values in outline.get_data())
            rows, cols = (slice(*np.ceil(edges).astype(int)) for edges in (y, x))
            assert_close(np.asarray(image_of(ax).get_array()), grid.image[rows, cols].numpy())
            assert image_of(ax).get_clim() == image_of(axes[0]).get_clim()
            assert ax.get_title() == f"y {y.mean():.0f}, x {x.mean():.0f}"

    def test_shows_spectra_of_the_marked_points(self, spectra):
        _, axes = plotting.plot_patches(spectra, n=3)
        assert [ax.get_title() for ax in axes] == ["mean intensity", "spectra"]
        for point, curve in zip(axes[0].lines, axes[1].lines, strict=True):
            (x,), (y,) = point.get_data()
            assert_close(curve.get_ydata(), spectra.image[int(y), int(x)].numpy())

    def test_picks_others_with_another_seed(self, grid):
        titles = [
            [ax.get_title() for ax in plotting.plot_patches(grid, seed=seed)[1]]
            for seed in (0, 0, 1)
        ]
        assert titles[0] == titles[1] != titles[2]

    @pytest.mark.parametrize("n", [0, 97])
    def test_refuses_more_patches_than_there_are(self, n, spectra):
        with pytest.raises(ValueError, match=f"n={n} must be between 1 and .* 96"):
            plotting.plot_patches(spectra, n)


class TestNames:
    def test_are_titles_in_place_of_latents(self):
        maps = np.random.default_rng(0).random((2, 5, 6))
        _, axes = plotting.plot_latent_maps(maps, names=["$z_1$", "class 0"])
        assert [ax.get_title() for ax in axes] == ["$z_1$", "class 0"]

    def test_are_those_of_every_row_of_a_comparison(self):
        rows = {"a": (MAPS, LABELS), "b": (MAPS, None)}
        names = [f"map {k}" for k in range(len(MAPS))]
        _, axes = plotting.plot_comparison(rows, names=names)
        assert [ax.get_title() for ax in axes[0]] == [*names, "labels"]
        with pytest.raises(ValueError, match=rf"names=.* must be a list of {len(MAPS)}"):
            plotting.plot_comparison(rows, names=["one"])

    @pytest.mark.parametrize("names", [["one"], "ab", []])
    def test_must_be_one_for_each_map(self, names):
        with pytest.raises(ValueError, match="must be a list of 2, one for each map"):
            plotting.plot_latent_maps(np.zeros((2, 5, 6)), names=names)


class TestManifold:
    def test_lays_decoded_patches_out_along_z1_rightwards_and_z2_upwards(self):
        _, (ax,) = plotting.plot_manifold(Model((4, 6), 2), n=3, limits=(0.25, 0.75))
        z = torch.special.ndtri(torch.tensor([0.25, 0.5, 0.75]))
        means = np.asarray(image_of(ax).get_array()).reshape(3, 4, 3, 6).mean((1, 3))
        assert_close(means, (z + 10 * z.flip(0)[:, None]).numpy())
        assert ax.get_aspect() == pytest.approx(4 / 6)
        assert [t.get_text() for t in ax.get_xticklabels()] == ["−0.67", "0.00", "0.67"]
        assert list(ax.get_yticks()) == [2, 1, 0]  # z_2 = -0.67 is at the bottom, row 2
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("$z_1$", "$z_2$")

    def test_spans_the_maps_it_is_given(self):
        maps = np.stack([np.linspace(2, 4, 101).reshape(1, -1), np.linspace(-1, 0, 101)[None]])
        limits = (0.25, 0.75)
        _, (ax,) = plotting.plot_manifold(Model((4, 6), 2), n=3, maps=maps, limits=limits)
        means = np.asarray(image_of(ax).get_array()).reshape(3, 4, 3, 6).mean((1, 3))
        z1, z2 = np.array([2.5, 3.0, 3.5]), np.array([-0.25, -0.5, -0.75])
        np.testing.assert_allclose(means, z1 + 10 * z2[:, None], rtol=1e-5)
        assert [t.get_text() for t in ax.get_xticklabels()] == ["2.50", "3.00", "3.50"]
        assert [t.get_text() for t in ax.get_yticklabels()] == ["−0.75", "−0.50", "−0.25"]

    def test_leaves_other_latents_at_their_median(self):
        maps = np.stack([np.full((3, 3), k) for k in (1.0, 2.0, 5.0)]) + np.eye(3)
        _, (ax,) = plotting.plot_manifold(Model((4, 4), 3), n=2, maps=maps, channels=(0, 1))
        assert (np.asarray(image_of(ax).get_array()) > 100 * 5 - 1).all()

    def test_refuses_maps_of_another_number_of_latents(self):
        with pytest.raises(ValueError, match="maps has 3 channels, but the model 2"):
            plotting.plot_manifold(Model((4, 4), 2), maps=np.zeros((3, 4, 4)))

    def test_varies_the_chosen_channels_only(self):
        _, (ax,) = plotting.plot_manifold(Model((4, 4), 3), n=2, channels=(2, 0))
        z = 1.6448536
        means = np.asarray(image_of(ax).get_array()).reshape(2, 4, 2, 4).mean((1, 3))
        assert_close(means, np.array([[-99, 101], [-101, 99]]) * np.float32(z), check_dtype=False)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("$z_3$", "$z_1$")

    def test_is_one_row_of_one_latent(self):
        _, (ax,) = plotting.plot_manifold(Model((4, 4), 1), n=5)
        assert image_of(ax).get_array().shape == (4, 20)
        assert not ax.get_ylabel()
        assert not len(ax.get_yticks())

    @pytest.mark.parametrize(("latents", "curves"), [(1, 4), (2, 16)])
    def test_draws_spectra_as_curves_inside_their_cells(self, latents, curves):
        _, (ax,) = plotting.plot_manifold(Model((16,), latents), n=4)
        assert len(ax.lines) == curves
        for k, line in enumerate(ax.lines):
            assert set(line.get_xdata().round()) == {k % 4}
            assert set(line.get_ydata().round()) == {k // 4}

    def test_builds_no_autograd_graph(self):
        model = Model((4, 4), 2)
        weight = torch.ones(1, requires_grad=True)
        decode = model.decode
        model.decode = lambda z: decode(z) * weight
        plotting.plot_manifold(model)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"n": 1}, "n=1 must be >= 2"),
            ({"limits": (0.0, 1.0)}, r"limits=\(0.0, 1.0\)"),
            ({"channels": (0, 2)}, r"channels=\(0, 2\) must be two different ones of \[0, 1\]"),
            ({"channels": (1, 1)}, r"channels=\(1, 1\)"),
        ],
    )
    def test_refuses_what_makes_no_lattice(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            plotting.plot_manifold(Model((4, 4), 2), **arguments)


class TestDistribution:
    def test_shows_each_patch_in_the_colour_of_its_label(self):
        _, (ax, top, right) = plotting.plot_distribution(MAPS, LABELS)
        (points,) = ax.collections
        assert_close(np.asarray(points.get_offsets()), MAPS.reshape(2, -1).T)
        expected = [to_rgb(COLOURS[k]) for k in LABELS.flat]
        assert_close(points.get_facecolors()[:, :3], np.array(expected))
        assert points.get_rasterized()
        (legend,) = ax.figure.findobj(mpl.legend.Legend)
        assert [t.get_text() for t in legend.get_texts()] == ["0", "1", "2"]
        assert top.get_xlim() == ax.get_xlim()
        assert right.get_ylim() == ax.get_ylim()

    @pytest.mark.parametrize("width", [3.4, 7.0])
    @pytest.mark.parametrize("count", [1, 4, 5, 9, 12])
    def test_overlaps_no_text_and_fills_the_page(self, count, width):
        labels = np.resize(np.arange(count), LABELS.shape)
        fig, (ax, *_) = plotting.plot_distribution(1e-2 * MAPS, labels, width=width)
        fig.canvas.draw()
        boxes = [t.get_window_extent() for t in texts(fig) if t not in ticks_out_of_view(fig)]
        panels = [panel.get_window_extent() for panel in fig.axes if panel.axison]
        for k, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[:k] + panels)
        assert fig.get_tightbbox().width > 0.93 * width
        assert fig.get_tightbbox().height > fig.get_figheight() - 0.2
        assert ax.get_window_extent().width > 0.55 * fig.bbox.width

    def test_overlapping_labels_can_both_be_followed(self):
        _, (_, top, _) = plotting.plot_distribution(MAPS, LABELS)
        for k, outline in enumerate(top.patches):
            assert outline.get_facecolor()[3] < 0.5
            assert outline.get_edgecolor() == (*to_rgb(COLOURS[k]), 1)

    def test_has_equal_scales_unless_one_latent_spreads_far_more(self):
        spans = []
        for factor in (2, 20):
            ax = plotting.plot_distribution(MAPS * np.array([1, factor])[:, None, None])[1][0]
            spans.append(np.ptp(ax.get_ylim()) / np.ptp(ax.get_xlim()))
        assert spans[0] == pytest.approx(1)
        assert spans[1] > 10

    def test_counts_every_patch_in_the_histograms(self):
        _, (_, top, right) = plotting.plot_distribution(MAPS)
        for panel, axis in ((top, 1), (right, 0)):
            (outline,) = panel.patches
            steps = outline.get_xy()
            height = (steps[:, axis][1:-1:2]).max()
            assert height == np.histogram(MAPS[1 - axis], 40)[0].max()

    def test_is_one_histogram_of_one_channel(self):
        _, axes = plotting.plot_distribution(MAPS[:1], LABELS)
        assert len(axes) == 1
        assert len(axes[0].patches) == 3

    def test_leaves_out_patches_without_value_or_domain(self):
        maps, labels = MAPS.copy(), LABELS.copy()
        maps[1, 0, 0], labels[0, 1] = np.nan, -1
        ax = plotting.plot_distribution(maps, labels)[1][0]
        assert len(ax.collections[0].get_offsets()) == MAPS[0].size - 2

    def test_refuses_to_show_nothing(self):
        with pytest.raises(ValueError, match="leave no patch"):
            plotting.plot_distribution(MAPS, LABELS * 0 - 1)


class TestHistory:
    def test_shows_each_quantity_against_the_epoch(self):
        run = history()
        _, axes = plotting.plot_history(run)
        assert [ax.get_title() for ax in axes] == [title for title, _ in CURVES.values()]
        assert [ax.get_ylabel() for ax in axes] == ["nats per patch"] * 3 + ["dimensionless"] * 2
        for ax, attribute in zip(axes, CURVES, strict=True):
            (line,) = ax.lines
            assert_close(line.get_xdata(), run.epoch)
            assert_close(line.get_ydata(), getattr(run, attribute))

    def test_compares_several_with_a_legend(self):
        fig, axes = plotting.plot_history({"sh-VAE": history(), "SL1": history(3, 1.0)}, width=3.4)
        assert all(len(ax.lines) == 2 for ax in axes)
        (legend,) = fig.findobj(mpl.legend.Legend)
        assert [t.get_text() for t in legend.get_texts()] == ["sh-VAE", "SL1"]

    def test_marks_a_single_epoch(self):
        assert plotting.plot_history(history(1))[1][0].lines[0].get_marker() == "o"

    def test_a_training_without_physics_has_no_curve_of_the_physics_loss(self):
        plain = history()
        plain.psi = np.zeros(5)
        _, axes = plotting.plot_history({"sh-VAE": plain, "SL1": history()})
        psi = next(ax for ax in axes if "Psi" in ax.get_title())
        assert np.isnan(psi.lines[0].get_ydata()).all()
        np.testing.assert_array_equal(psi.lines[1].get_ydata(), history().psi)

    def test_refuses_an_empty_mapping(self):
        with pytest.raises(ValueError, match="history is empty"):
            plotting.plot_history({})


class TestComparison:
    def test_has_a_named_row_per_method(self, grid):
        rows = {"sh-VAE": (MAPS, LABELS), "PCA": (torch.from_numpy(MAPS[:1]), LABELS[::-1])}
        _, axes = plotting.plot_comparison(rows, grid=grid)
        assert axes.shape == (3, 3)
        axes = axes[1:]
        assert [ax.get_ylabel() for ax in axes[:, 0]] == ["sh-VAE\ny (px)", "PCA\ny (px)"]
        assert [ax.get_title() for ax in axes[0]] == ["$z_1$", "$z_2$", "labels"]
        assert not axes[1, 1].get_visible()
        assert (image_of(axes[1, 2]).get_array() == LABELS[::-1]).all()
        extents = [image_of(ax).get_extent() for ax in axes.flat if ax.get_visible()]
        assert extents == [[0, 400, 600, 0]] * 5

    @pytest.mark.parametrize("count", [5, 9])
    def test_long_names_do_not_overlap(self, count):
        rows = {f"balanced, SL1 maximised, {k}": (MAPS, LABELS) for k in range(count)}
        fig, axes = plotting.plot_comparison(rows)
        fig.draw_without_rendering()
        boxes = [ax.yaxis.label.get_window_extent() for ax in axes[:, 0]]
        for above, below in itertools.pairwise(boxes):
            assert above.y0 > below.y1

    def test_starts_with_the_image_and_the_true_domains(self, grid):
        truth = np.roll(LABELS, 3)
        _, axes = plotting.plot_comparison({"a": (MAPS, LABELS)}, truth=truth, grid=grid)
        assert [ax.get_title() for ax in axes[0] if ax.get_visible()] == ["image", "true domains"]
        np.testing.assert_array_equal(image_of(axes[0, 0]).get_array(), grid.image)
        np.testing.assert_array_equal(image_of(axes[0, 2]).get_array(), truth)
        assert (axes[0, 0].get_xlim(), axes[0, 0].get_ylim()) == ((0, 400), (600, 0))

    def test_of_spectra_starts_with_their_mean_intensity(self):
        cube = np.random.default_rng(0).random((6, 5, 9))
        spectra = PatchGrid.from_spectra(cube)
        _, axes = plotting.plot_comparison({"a": (cube[..., 0][None], None)}, grid=spectra)
        assert axes[0, 0].get_title() == "mean intensity"
        np.testing.assert_allclose(
            image_of(axes[0, 0]).get_array(), spectra.image.mean(2), rtol=1e-5
        )

    def test_refuses_a_truth_without_its_image(self):
        with pytest.raises(ValueError, match="pass grid"):
            plotting.plot_comparison({"a": (MAPS, LABELS)}, truth=LABELS)

    def test_has_no_column_for_labels_nobody_gives(self):
        assert plotting.plot_comparison({"a": (MAPS, None)})[1].shape == (1, 2)

    def test_names_the_method_whose_maps_do_not_fit(self):
        with pytest.raises(ValueError, match="maps of 'b' has shape"):
            plotting.plot_comparison({"a": (MAPS, None), "b": (MAPS[0], None)})

    def test_refuses_maps_of_different_grids(self):
        with pytest.raises(
            ValueError, match=r"unequal \(rows, cols\): 'a' \(30, 20\), 'b' \(9, 20"
        ):
            plotting.plot_comparison({"a": (MAPS, None), "b": (MAPS[:, :9], None)})

    def test_refuses_an_empty_mapping(self):
        with pytest.raises(ValueError, match="rows is empty"):
            plotting.plot_comparison({})


class TestWrongKinds:
    """Arguments of another kind, or in another order, are named before anything is drawn."""

    @pytest.mark.parametrize(
        ("function", "arguments", "message"),
        [
            ("latent_maps", lambda g: (g,), "maps=<PatchGrid> .*model.latent_maps"),
            ("latent_maps", lambda g: (None,), "maps=None .*model.latent_maps"),
            ("latent_maps", lambda g: (MAPS * 1j,), "complex128 must be real latent maps"),
            ("latent_maps", lambda g: (MAPS, g), r"labels=<PatchGrid> .*phyvae.segment\(maps\)"),
            ("latent_maps", lambda g: (MAPS, LABELS, {"grid": LABELS}), "grid=<ndarray of shape"),
            ("latent_maps", lambda g: (MAPS, LABELS, {"width": "7"}), "width='7' must be a numbe"),
            ("segmentation", lambda g: (LABELS, g), "labels=<PatchGrid>"),
            ("segmentation", lambda g: (Model((4, 4), 2), LABELS), "image=<Model> .* a PatchGrid"),
            ("segmentation", lambda g: (MAPS[0], LABELS, {"grid": MAPS}), "grid=<ndarray of sh"),
            ("segmentation", lambda g: (MAPS[0], LABELS, {"alpha": "a"}), "alpha='a' must be"),
            ("comparison", lambda g: ([(MAPS, LABELS)],), "rows=.* must map names of methods"),
            ("comparison", lambda g: ({"a": MAPS},), r"rows\['a'\]=<ndarray .* pair \(maps"),
            ("distribution", lambda g: (MAPS, LABELS, {"channels": 1}), "channels=1 must be two"),
            ("manifold", lambda g: (MAPS,), "model=<ndarray .* must be a ShiftVAE"),
            ("manifold", lambda g: (SimpleNamespace(model=1),), "a pyroVED model: trainer.model"),
            ("manifold", lambda g: (Model((4, 4), 2), 2.5), "n=2.5 must be an integer"),
            ("manifold", lambda g: (Model((4, 4), 2), {"limits": 3}), "limits=3 must be two"),
            ("history", lambda g: (SimpleNamespace(history=1),), "a History: trainer.history"),
            ("history", lambda g: ({"loss": [1, 2]},), r"history\['loss'\]=\[1, 2\] must be"),
            ("patches", lambda g: (MAPS[0],), "grid=<ndarray .* must be a PatchGrid"),
            ("patches", lambda g: (g, 2.5), "n=2.5 must be an integer"),
        ],
    )
    def test_are_refused(self, function, arguments, message, grid, unchecked):
        *positional, last = arguments(grid)
        is_keywords = isinstance(last, dict) and len(positional) > 0
        positional, keywords = (positional, last) if is_keywords else ([*positional, last], {})
        with pytest.raises(TypeError, match=message):
            unchecked(getattr(plotting, f"plot_{function}"), *positional, **keywords)
        assert not plt.get_fignums()

    @pytest.mark.parametrize("width", [0.0, -3.4, np.nan, np.inf])
    def test_a_width_that_is_none_is_refused(self, width):
        with pytest.raises(ValueError, match=f"width={width} inches"):
            plotting.plot_latent_maps(MAPS, width=width)

    def test_an_opacity_above_one_is_refused(self):
        with pytest.raises(ValueError, match=r"alpha=2\.0 is an opacity and must lie in"):
            plotting.plot_segmentation(MAPS[0], LABELS, alpha=2.0)

    def test_a_shift_vae_knows_nothing_but_its_latents(self):
        with pytest.raises(ValueError, match="known=1, but a ShiftVAE draws from its latents"):
            plotting.plot_manifold(ShiftVAE((8, 8)), known=1)

    def test_labels_in_the_place_of_maps_are_told_apart(self):
        with pytest.raises(ValueError, match=r"maps has shape \(30, 20\).*labels come after"):
            plotting.plot_latent_maps(LABELS, MAPS)

    def test_maps_with_channels_last_are_refused(self):
        with pytest.raises(ValueError, match=r"maps of shape \(30, 20, 2\) .*channels last"):
            plotting.plot_latent_maps(MAPS.transpose(1, 2, 0))
