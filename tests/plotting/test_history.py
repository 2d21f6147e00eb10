"""Training curves of one training or of several."""

import matplotlib as mpl
import numpy as np
import pytest
from torch.testing import assert_close

from figures import history
from phyvae import plotting
from phyvae.plotting.history import CURVES


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
