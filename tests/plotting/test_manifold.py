"""Patches decoded from a lattice of latents, in the order of the latents."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from figures import Model, image_of
from phyvae import ShiftVAE, plotting


class TestManifold:
    def test_lays_decoded_patches_out_along_z1_rightwards_and_z2_upwards(self):
        _, (ax,) = plotting.plot_manifold(Model((4, 6), 2), n=3, limits=(0.25, 0.75))
        z = torch.special.ndtri(torch.tensor([0.25, 0.5, 0.75]))
        means = np.float32(image_of(ax).get_array()).reshape(3, 4, 3, 6).mean((1, 3))
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

    def test_takes_pyroveds_names(self):
        _, (ax,) = plotting.plot_manifold(Model((4, 6), 2), d=3, cmap="viridis")
        _, (expected,) = plotting.plot_manifold(Model((4, 6), 2), n=3)
        assert_close(image_of(ax).get_array(), image_of(expected).get_array())
        assert image_of(ax).get_cmap().name == "viridis"
        assert image_of(expected).get_cmap().name == "gray"

    def test_builds_no_autograd_graph(self):
        model = Model((4, 4), 2)
        weight = torch.ones(1, requires_grad=True)
        decode = model.decode
        model.decode = lambda z: decode(z) * weight
        plotting.plot_manifold(model)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"n": 1}, "n=1 must be at least 2"),
            ({"d": 1}, "d=1 must be at least 2"),
            ({"limits": (0.0, 1.0)}, r"limits=\(0.0, 1.0\)"),
            ({"channels": (0, 2)}, r"channels=\(0, 2\) must be two different ones of \[0, 1\]"),
            ({"channels": (1, 1)}, r"channels=\(1, 1\)"),
        ],
    )
    def test_refuses_what_makes_no_lattice(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            plotting.plot_manifold(Model((4, 4), 2), **arguments)

    def test_a_shift_vae_knows_nothing_but_its_latents(self):
        with pytest.raises(ValueError, match="known=1, but a ShiftVAE decodes its latents"):
            plotting.plot_manifold(ShiftVAE((8, 8)), known=1)
