"""Every patch is in the scatter plot and in the histograms."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from torch.testing import assert_close

from figures import LABELS, MAPS, texts
from phyvae import plotting
from phyvae.plotting.panels import COLOURS


def ticks_out_of_view(fig):
    return {
        text
        for ax in fig.axes
        for axis in (ax.xaxis, ax.yaxis)
        for tick in axis.get_major_ticks()
        for text in (tick.label1, tick.label2)
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }


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
    @pytest.mark.parametrize("count", [1, 4, 5, 12])
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
        maps = np.where(LABELS == 0, np.nan, MAPS)
        with pytest.raises(ValueError, match="leave no patch"):
            plotting.plot_distribution(maps, np.where(LABELS == 0, 0, -1))

    def test_names_the_labels_it_knows(self):
        _, (_, top, _) = plotting.plot_distribution(MAPS, LABELS, label_names=["film", "step"])
        shown = [text.get_text() for text in top.get_legend().get_texts()]
        assert shown == ["film", "step", "2"]
