"""Bad input: an error of our own before work starts, or a documented, correct result.

What is refused is in `bad_inputs.py`, which runs without the type checks of this test run.
"""

import inspect
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import bad_inputs
import phyvae

PATTERNS = {name: pattern for name, _, pattern in bad_inputs.cases()}
OURS = {
    *("TypeError", "ValueError", "CheckpointError", "NonFiniteLossError"),
    *("FileNotFoundError", "IsADirectoryError", "NoLatticeError"),
}


@pytest.fixture(scope="module")
def raised():
    run = subprocess.run(
        [sys.executable, "-W", "ignore", bad_inputs.__file__],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)["raised"]


def test_bad_input_is_refused_by_name(raised):
    assert raised.keys() == PATTERNS.keys()
    assert len(raised) > 1500
    wrong = {
        name: (kind, message)
        for name, (kind, message, by_phyvae) in raised.items()
        if kind not in OURS or not by_phyvae or not re.search(PATTERNS[name], message)
    }
    assert not wrong


def public():
    """Yield every function, class and method that users call."""
    for name in [*phyvae.__all__, *(f"phantoms.{n}" for n in phyvae.phantoms.__all__)]:
        entry = phyvae
        for part in name.split("."):
            entry = getattr(entry, part)
        if not callable(entry) or (isinstance(entry, type) and issubclass(entry, BaseException)):
            continue
        if inspect.isabstract(entry):
            continue  # torch's constructor
        yield name, entry
        if isinstance(entry, type) and entry.__module__.startswith("phyvae"):
            methods = inspect.getmembers(entry, inspect.isroutine)
            yield from (
                (f"{name}.{method}", value)
                for method, value in methods
                if not method.startswith("_")
                and getattr(value, "__module__", "").startswith("phyvae")
            )


def test_unknown_keywords_are_refused():
    open_ended = {
        name
        for name, entry in public()
        for parameter in inspect.signature(entry).parameters.values()
        if parameter.kind is inspect.Parameter.VAR_KEYWORD
    }
    assert open_ended == {"sweep"}  # it passes them on, and names the ones that are known
    with pytest.raises(TypeError, match="stride is no keyword of sweep"):
        bad_inputs.sweep(stride=1)


class TestImagesThatAreTaken:
    """The image is what it was, but for its scale."""

    @pytest.mark.parametrize(
        "changed",
        [
            lambda image: image * 1e308,
            lambda image: (image - 0.5) * 1.7e308,
            lambda image: image * 1e38,
            lambda image: image * 1e-300,
            lambda image: image + 1e6,
            lambda image: (image * 2.0**63).astype(np.uint64),
            lambda image: (image * 60_000).astype(np.uint16),
            lambda image: image.astype(np.longdouble),
            lambda image: image.astype(">f4"),
            lambda image: np.ma.masked_array(image, False),
            lambda image: torch.from_numpy(image).requires_grad_(),
            lambda image: torch.from_numpy(image).to_sparse(),
            lambda image: image.tolist(),
        ],
    )
    def test_whatever_their_range_and_type(self, changed):
        image = np.random.default_rng(0).random((30, 34))
        grid = phyvae.PatchGrid(changed(image), 6)
        np.testing.assert_allclose(grid.image, phyvae.PatchGrid(image, 6).image, atol=2e-5)

    @pytest.mark.parametrize("image", [np.eye(8) * 1e300, np.eye(8) + 1e15])
    def test_but_not_unscaled_where_float32_cannot_hold_them(self, image):
        with pytest.raises(ValueError, match=r"which float32 cannot hold .*percentiles=\(0, 100"):
            phyvae.PatchGrid(image, 4, percentiles=None)

    def test_negative_values_are_refused_by_a_bernoulli_decoder(self):
        values = np.linspace(-1, 1, 900).reshape(30, 30)
        grid = phyvae.PatchGrid(values, 6, percentiles=None)
        with pytest.raises(ValueError, match="spans -1 to 1, but a Bernoulli decoder needs"):
            bad_inputs.fit(grid=grid)


class TestSmallGrids:
    @pytest.mark.parametrize("shape", [(6, 6), (6, 40), (40, 6)], ids=["1 x 1", "1 x N", "N x 1"])
    @pytest.mark.parametrize("loss", [None, phyvae.EdgeLoss(), phyvae.TotalVariation()])
    def test_one_patch_and_one_row_train_and_have_maps(self, shape, loss):
        grid = phyvae.PatchGrid(np.random.default_rng(0).random(shape), 6, 4)
        trainer = bad_inputs.trainer(phyvae.PhysicsObjective(loss))
        history = trainer.fit(grid, 2, progress=False)
        assert np.isfinite(history.loss).all()
        maps = trainer.model.latent_maps(grid)
        assert maps.shape == (2, *grid.shape)
        assert maps.isfinite().all()
        assert phyvae.segment(maps, classes=1).shape == grid.shape
        if len(grid) == 1 and loss is not None:
            assert history.psi.max() == 0  # a cell without a neighbour has no wall

    def test_a_tile_larger_than_the_grid_is_the_whole_grid(self):
        runs = [bad_inputs.trainer(phyvae.PhysicsObjective(phyvae.EdgeLoss()), tile=t)
                for t in (8, 64)]  # fmt: skip
        for run in runs:
            run.fit(bad_inputs.grid(), 1, progress=False)
        assert_close(dict(runs[0].model.state_dict()), dict(runs[1].model.state_dict()),
                     rtol=0, atol=0)  # fmt: skip

    def test_one_channel_trains(self):
        run = phyvae.PhysicsTrainer(
            bad_inputs.model(latent_dim=1), phyvae.PhysicsObjective(phyvae.EdgeLoss())
        )
        assert np.isfinite(run.fit(bad_inputs.grid(), 1, progress=False).loss).all()

    def test_patches_that_are_all_equal_have_flat_maps_of_one_domain(self):
        image = np.tile(np.random.default_rng(0).random((4, 4)), (8, 8))
        run = bad_inputs.trainer(phyvae.PhysicsObjective(phyvae.EdgeLoss()))
        grid = phyvae.PatchGrid(image, 6, 4)
        history = run.fit(grid, 2, progress=False)
        assert np.isfinite(history.loss).all()
        assert history.psi.max() < 1e-3
        assert not phyvae.segment(run.model.latent_maps(grid), classes=2).any()


class TestMaps:
    @pytest.mark.parametrize("loss", bad_inputs.LOSSES.values(), ids=repr)
    @pytest.mark.parametrize("value", [torch.nan, torch.inf])
    def test_no_loss_takes_what_is_no_number_for_a_flat_map(self, loss, value):
        maps = torch.rand(2, 9, 9)
        maps[:, 4, 4] = value
        assert not loss(maps).isfinite()

    @pytest.mark.parametrize("loss", bad_inputs.LOSSES.values(), ids=repr)
    def test_nor_huge_values_whose_squares_overflow(self, loss):
        assert not loss(1e30 * torch.rand(2, 9, 9)).isfinite()

    def test_where_no_cell_counts_standardised_maps_are_zero(self):
        nowhere = torch.zeros(9, 8, dtype=torch.bool)
        assert not phyvae.standardise(torch.rand(2, 9, 8), nowhere).any()

    def test_segment_refuses_them(self):
        with pytest.raises(ValueError, match="no patch is left to label"):
            phyvae.segment(torch.rand(2, 9, 8), classes=2, mask=np.zeros((9, 8), bool))


class TestTruthOfOneDomain:
    def test_the_index_is_one_if_one_was_found_and_else_zero(self):
        one, two = np.zeros((4, 4), int), np.eye(4, dtype=int)
        assert phyvae.adjusted_rand_index(one, one) == 1
        assert phyvae.adjusted_rand_index(two, one) == 0


class SharpRegression(phyvae.PatchModel):
    """A model whose −ELBO is negative though measured from its floor."""

    def __init__(self):
        super().__init__()
        self.patch_shape, self.net = (6, 6), torch.nn.Linear(36, 2)

    content = slice(0, 2)

    def posterior(self, patches, dtype=None):
        mean = self.net(patches.flat)
        return phyvae.Posterior(mean, torch.ones_like(mean))

    def terms(self, patches, posterior, beta, decoding=None):
        return posterior.mean.square().mean() - 50, posterior.kl().mean()

    def floor(self, patches, pixels=None):
        return torch.zeros(len(patches))


class TestNegativeElbo:
    @pytest.mark.parametrize("coupling", ["balanced", "product"])
    def test_a_sharp_gaussian_decoder_keeps_the_product_positive(self, coupling):
        model = bad_inputs.model(sampler_d="gaussian", decoder_sig=0.01, sigmoid_d=False)
        objective = phyvae.PhysicsObjective(phyvae.EdgeLoss(), coupling=coupling)
        history = phyvae.PhysicsTrainer(model, objective).fit(bad_inputs.grid(), 3, progress=False)
        assert (history.floor < 0).all()
        assert (history.loss > 0).all()

    def test_what_the_product_would_reward_is_refused_and_undone(self):
        model = SharpRegression()
        before = model.net.weight.clone()
        objective = phyvae.PhysicsObjective(phyvae.EdgeLoss(), coupling="product")
        trainer = phyvae.PhysicsTrainer(model, objective)
        with pytest.raises(ValueError, match=r"negative in 100% .*would reward Ψ; take coupling"):
            trainer.fit(bad_inputs.grid(), 1, progress=False)
        assert torch.equal(model.net.weight, before)

    def test_balanced_forces_do_not_mind(self):
        trainer = phyvae.PhysicsTrainer(
            SharpRegression(), phyvae.PhysicsObjective(phyvae.EdgeLoss())
        )
        assert trainer.fit(bad_inputs.grid(), 1, progress=False).loss[0] < 0


@pytest.mark.parametrize("kind", bad_inputs.PSI)
def test_a_bad_psi_leaves_the_weights_as_they_were(kind):
    loss, _ = bad_inputs.PSI[kind]
    trainer = bad_inputs.trainer(phyvae.PhysicsObjective(loss))
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    with pytest.raises((ValueError, phyvae.NonFiniteLossError)):
        trainer.fit(bad_inputs.grid(), 1, progress=False)
    assert_close(before, dict(trainer.model.state_dict()), rtol=0, atol=0)
    assert trainer.epochs_done == len(trainer.history) == 0
