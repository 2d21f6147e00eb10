"""A training that is drawn is the same training."""

from dataclasses import FrozenInstanceError

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import phyvae
from phyvae.plotting import during_training


@pytest.fixture(scope="module")
def grid():
    return phyvae.PatchGrid(np.random.default_rng(0).random((40, 48)), size=8, step=8)


def trainer_on(grid):
    model = phyvae.ShiftVAE(grid.patch_shape, hidden_dim_e=(8,), hidden_dim_d=(8,), seed=0)
    return phyvae.PhysicsTrainer(model, seed=0)


def fit(trainer, grid, epochs, draw=None):
    trainer.fit(grid, epochs, callbacks=[draw] if draw else [], progress=False)


def pictures(folder):
    return sorted(path.name for path in folder.iterdir())


def test_pictures_appear_after_every_so_many_epochs_of_the_trainer(grid, tmp_path):
    folder, trainer = tmp_path / "new" / "maps", trainer_on(grid)
    draw = phyvae.DrawMaps(grid, folder, every=2)
    fit(trainer, grid, 1, draw)
    assert not folder.exists()
    fit(trainer, grid, 4, draw)
    assert pictures(folder) == ["epoch_0002.png", "epoch_0004.png"]
    assert plt.imread(folder / "epoch_0002.png").std() > 0.05
    assert not plt.get_fignums()


def test_weights_and_global_generators_are_as_without_it(grid, tmp_path):
    drawn, plain = trainer_on(grid), trainer_on(grid)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    fit(drawn, grid, 2, phyvae.DrawMaps(grid, str(tmp_path), every=1, classes=3, denoise=0.3))
    assert (torch.get_rng_state() == before[0]).all()
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    fit(plain, grid, 2)
    for name, weight in plain.model.state_dict().items():
        assert torch.equal(drawn.model.state_dict()[name], weight), name


@pytest.mark.parametrize(
    "settings",
    [
        {"classes": 3, "denoise": 0.3},
        {"method": "otsu", "channel": 1},
        {"method": "chan_vese", "denoise": "std"},
    ],
)
def test_it_draws_the_maps_and_the_labels_that_segment_gives(
    grid, tmp_path, monkeypatch, settings
):
    drawn = []

    def plot(*args, **kwargs):
        drawn.append((*args, kwargs))
        return plt.subplots()

    monkeypatch.setattr(during_training, "plot_latent_maps", plot)
    trainer = trainer_on(grid)
    fit(trainer, grid, 1, phyvae.DrawMaps(grid, tmp_path, every=1, **settings))
    ((maps, labels, options),) = drawn
    expected = trainer.model.latent_maps(grid)
    np.testing.assert_array_equal(maps, expected)
    channel = settings.pop("channel", 0)
    segmented = expected[channel] if "method" in settings else expected
    np.testing.assert_array_equal(labels, phyvae.segment(segmented, **settings))
    assert options == {"grid": grid, "names": trainer.model.map_names}


def test_its_settings_are_frozen(grid, tmp_path):
    with pytest.raises(FrozenInstanceError):
        phyvae.DrawMaps(grid, tmp_path).every = 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"every": 0}, "every=0 must be at least 1 epoch"),
        ({"every": -3}, "every=-3"),
        ({"channel": -1}, "channel=-1 must be at least 0; channels count from 0"),
        ({"method": "kmeans"}, "method='kmeans' must be one of"),
        ({"classes": 3, "method": "chan_vese"}, "classes=3 exceeds the 2"),
        ({"denoise": 0.0}, "denoise=0 must be > 0"),
    ],
)
def test_what_it_cannot_draw_is_refused_before_the_training(grid, tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        phyvae.DrawMaps(grid, tmp_path, **settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"grid": np.ones((40, 48))}, r"grid=<ndarray of shape \(40, 48\)> must be a PatchGrid"),
        ({"folder": None}, "folder=None must be a path"),
        ({"every": 2.5}, "every=2.5 must be an integer >= 1 epoch"),
        ({"channel": "z"}, "channel='z' must be an integer >= 0"),
    ],
)
def test_what_is_of_another_kind_is_refused(grid, unchecked, arguments, message):
    with pytest.raises(TypeError, match=message):
        unchecked(phyvae.DrawMaps, **({"grid": grid, "folder": "f"} | arguments))


def test_a_channel_that_the_model_lacks_is_refused(grid, tmp_path):
    draw = phyvae.DrawMaps(grid, tmp_path, every=1, method="otsu", channel=2)
    with pytest.raises(ValueError, match="channel=2 is none of the model's 2 latent maps, 0 to 1"):
        fit(trainer_on(grid), grid, 1, draw)


def test_a_callback_refuses_what_cannot_segment_empty_cells(site_grid, tmp_path):
    with pytest.raises(ValueError, match="chan_vese"):
        phyvae.DrawMaps(site_grid, tmp_path, method="chan_vese")
    phyvae.DrawMaps(site_grid, tmp_path, method="otsu")
