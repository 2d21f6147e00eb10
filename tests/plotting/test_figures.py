"""Laws of every figure: it cuts no text off, and leaves global state alone."""

import subprocess
import sys
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from figures import LABELS, MAPS, Model, history, texts
from phyvae import plotting

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
        MAPS, np.resize(np.arange(12), LABELS.shape)
    ),
    "distribution of one": lambda g, s: plotting.plot_distribution(MAPS[:1], LABELS),
    "distribution with names": lambda g, s: plotting.plot_distribution(
        MAPS, LABELS, label_names=["substrate", "variant up", "variant down"]
    ),
    "history": lambda g, s: plotting.plot_history({"a": history(), "b": history(offset=1)}),
}
# With names of labels, some of which are missing.
NAMED = {
    "maps": lambda g, names: plotting.plot_latent_maps(MAPS, LABELS, label_names=names),
    "segmentation": lambda g, names: plotting.plot_segmentation(g, LABELS, label_names=names),
    "sites": lambda g, names: plotting.plot_sites(g, LABELS, label_names=names),
}


@pytest.mark.parametrize("plot", NAMED.values(), ids=NAMED)
def test_labels_have_their_names(plot, grid):
    _, axes = plot(grid, ["film", "substrate"])
    (bar,) = axes[-1].child_axes
    assert [text.get_text() for text in bar.get_yticklabels()] == ["film", "substrate", "2"]


def test_importing_the_module_leaves_matplotlib_unimported():
    code = "import phyvae.plotting, sys; raise SystemExit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module", params=FIGURES.values(), ids=FIGURES.keys())
def plotted(request, grid, spectra):
    """A figure, its axes, the numbers of open figures, and the global state before and after."""
    plt.close("all")
    before = global_state()
    fig, axes = request.param(grid, spectra)
    return SimpleNamespace(
        fig=fig,
        axes=axes,
        numbers=plt.get_fignums(),
        before=before,
        after=global_state(),
        again=lambda: request.param(grid, spectra),
    )


def global_state():
    numpy = np.random.get_state()[1].tolist()  # noqa: NPY002
    return dict(mpl.rcParams), numpy, torch.get_rng_state().tolist()


class TestEveryFigure:
    def test_is_returned_once_with_an_array_of_its_axes(self, plotted):
        assert isinstance(plotted.fig, mpl.figure.Figure)
        assert isinstance(plotted.axes, np.ndarray)
        assert all(ax.figure is plotted.fig for ax in plotted.axes.flat)
        assert len(plotted.numbers) == 1

    def test_uses_no_global_generator_and_sets_no_global_parameter(self, plotted):
        assert plotted.before == plotted.after

    def test_cuts_no_text_off_and_keeps_it_readable(self, plotted):
        fig = plotted.fig
        fig.canvas.draw()
        page = fig.bbox.padded(1)
        box = fig.get_tightbbox().transformed(fig.dpi_scale_trans)
        assert page.x0 <= box.x0 <= box.x1 <= page.x1
        assert page.y0 <= box.y0 <= box.y1 <= page.y1
        assert min(t.get_fontsize() for t in texts(fig)) >= 7

    def test_is_the_same_under_a_style_that_puts_row_0_at_the_bottom(self, plotted):
        with mpl.rc_context({"image.origin": "lower", "image.aspect": "auto"}):
            _, axes = plotted.again()
        for image in (i for ax in axes.flat for i in ax.get_images()):
            assert image.origin == "upper"
            assert image.axes.yaxis_inverted()


class TestWrongKinds:
    """Arguments of another kind, or in another order, are named before anything is plotted."""

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
            (
                "segmentation",
                lambda g: (Model((4, 4), 2), LABELS),
                "image=<Model> must be an array",
            ),
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
