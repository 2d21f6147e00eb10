"""Settings of `ShiftVAE`: which are taken, how they are stored, and which are refused."""

import inspect

import pytest

from phyvae import ShiftVAE


def test_every_argument_of_the_model_is_a_setting_as_plain_numbers_and_tuples():
    model = ShiftVAE(
        (6, 5), 3, dx_prior=0.25, hidden_dim_e=[4], sampler_d="gaussian", sigmoid_d=False, seed=3
    )
    arguments = list(inspect.signature(ShiftVAE).parameters)
    assert list(model.settings) == [
        name for name in arguments if name not in ("device", "invariances")
    ]
    assert model.settings["patch_shape"] == (6, 5)
    assert model.settings["dy_prior"] == model.settings["dx_prior"] == 0.25
    assert model.settings["hidden_dim_e"] == (4,)
    assert not model.settings["sigmoid_d"]


def test_a_pair_of_priors_is_that_down_and_to_the_right():
    pair, apart = (
        ShiftVAE((6, 5), dx_prior=(0.3, 0.2)),
        ShiftVAE((6, 5), dx_prior=0.3, dy_prior=0.2),
    )
    assert pair.settings == apart.settings
    assert pair.settings["dx_prior"] == 0.3


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            ({"patch_shape": (8,) * 3}, r"patch_shape=\(8, 8, 8\)"),
            ({"patch_shape": (1, 8)}, r"patch_shape=\(1, 8\)"),
            ({"latent_dim": 0}, "latent_dim=0"),
            ({"dx_prior": 0.0}, "dx_prior=0 must"),
            ({"dy_prior": float("nan")}, "dy_prior=nan"),
            ({"dx_prior": (0.3, -1.0)}, "dy_prior=-1 must"),
            (
                {"dx_prior": (0.3,)},
                r"dx_prior=\(0.3,\) with dy_prior=None: give dx_prior as a pair",
            ),
            (
                {"dx_prior": (0.3, 0.2), "dy_prior": 0.2},
                r"dx_prior=\(0.3, 0.2\) with dy_prior=0.2",
            ),
            ({"decoder_sig": -1.0}, "decoder_sig=-1 must"),
            ({"coordinate_scale": 0.0}, "coordinate_scale=0 must"),
            ({"sampler_d": "poisson"}, "sampler_d='poisson' must be one of 'bernoulli'"),
            ({"activation": "sine"}, "activation='sine' must be one of 'tanh'"),
            ({"sigmoid_d": False}, "sigmoid_d=False"),
            ({"seed": -1}, "seed=-1"),
            ({"hidden_dim_d": (4, 0)}, "each of hidden_dim_d=0"),
        ],
    )
    def test_bad_values_are_named(self, arguments, named, unchecked):
        with pytest.raises(ValueError, match=named):
            unchecked(ShiftVAE, **({"patch_shape": (8, 8)} | arguments))

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            ({"patch_shape": 24}, r"patch_shape=24 must be .* grid.patch_shape"),
            ({"patch_shape": (8.0, 8)}, r"patch_shape=\(8.0, 8\) must be whole numbers"),
            ({"sigmoid_d": 1}, "sigmoid_d=1 must be True or False"),
            ({"hidden_dim_e": ()}, r"hidden_dim_e=\(\) must be a list"),
            ({"latent_dims": 2}, "latent_dims"),
        ],
    )
    def test_bad_types_are_named(self, arguments, named, unchecked):
        with pytest.raises(TypeError, match=named):
            unchecked(ShiftVAE, **({"patch_shape": (8, 8)} | arguments))
