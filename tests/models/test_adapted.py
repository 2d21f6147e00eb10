"""Any pyroVED model trains with physics, and its −ELBO is Pyro's."""

import copy
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pyro
import pyroved
import pytest
import torch
from pyroved.models import VED, iVAE, jiVAE, ss_reg_iVAE, ssiVAE
from torch import Tensor, nn
from torch.testing import assert_close

import phyvae
from phyvae import PatchGrid, PhysicsObjective, PhysicsTrainer, ShiftVAE, TotalVariation, adapt
from phyvae.models.options import Decoding
from phyvae.patches.layout import Layout
from phyvae.training.batches import Batch

SIZE, LENGTH = 8, 12
CONVOLVING = [(4,), (4, 4), (4, 4)]
SMALL = {"hidden_dim_e": [6, 5], "hidden_dim_d": [6, 5], "device": "cpu"}


def image_grid() -> PatchGrid:
    phantom = phyvae.phantoms.bfo((52, 56), 4.0, seed=1)
    return PatchGrid(phantom.image, size=SIZE, step=4)


def spectra() -> PatchGrid:
    rng = np.random.default_rng(0)
    place = rng.normal(6, 1, (7, 6, 1))
    cube = np.exp(-((np.arange(LENGTH) - place) ** 2) / 4) + 0.01 * rng.random((7, 6, LENGTH))
    return PatchGrid.from_spectra(cube)


def classes(grid: PatchGrid, unknown: float = 0.0) -> PatchGrid:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=grid.shape)
    labels[rng.random(grid.shape) < unknown] = -1
    return grid.with_known(labels)


def properties(grid: PatchGrid, unknown: float = 0.0) -> PatchGrid:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(*grid.shape, 2))
    values[rng.random(grid.shape) < unknown] = np.nan
    return grid.with_known(values)


def of_spectra(grid: PatchGrid) -> PatchGrid:
    rng = np.random.default_rng(0)
    return grid.with_known(rng.random((*grid.shape, 16)))


def ivae(invariances: list[str] | None, **settings: Any) -> Callable[[], iVAE]:
    return lambda: iVAE((SIZE, SIZE), 2, invariances, **SMALL, **settings)


def ved() -> nn.Module:
    model = VED((SIZE, SIZE), (16,), latent_dim=2, hidden_dim_e=CONVOLVING,
                hidden_dim_d=CONVOLVING[::-1])  # fmt: skip
    return adapt(model, patch_shape=(SIZE, SIZE))


def convolving() -> nn.Module:
    model = ivae(None)()
    model.set_encoder(pyroved.nets.convEncoderNet((SIZE, SIZE), 2, hidden_dim=CONVOLVING))
    model.set_decoder(pyroved.nets.convDecoderNet(2, (SIZE, SIZE), hidden_dim=CONVOLVING))
    return adapt(model, patch_shape=(SIZE, SIZE))


def spectral(kind: type, *args: Any, **settings: Any) -> Callable[[], nn.Module]:
    return lambda: kind((LENGTH,), *args, **SMALL, **settings)


# pyroVED's upsampling of spectra says so; it is no concern of phyvae's.
pytestmark = pytest.mark.filterwarnings("ignore:'bilinear' mode is not supported")
IMAGE, SPECTRA = image_grid(), spectra()
INVARIANT: dict[str, tuple[Callable[[], nn.Module], PatchGrid]] = {
    "vae": (ivae(None), IMAGE),
    "r": (ivae(["r"]), IMAGE),
    "t": (ivae(["t"]), IMAGE),
    "s": (ivae(["s"]), IMAGE),
    "rt": (ivae(["r", "t"]), IMAGE),
    "rs": (ivae(["r", "s"]), IMAGE),
    "ts": (ivae(["t", "s"]), IMAGE),
    "rts": (ivae(["r", "t", "s"], dx_prior=0.3, sc_prior=0.2), IMAGE),
    "rts, gaussian": (ivae(["r", "t", "s"], sampler_d="gaussian", decoder_sig=0.3), IMAGE),
    "t, continuous": (ivae(["t"], sampler_d="continuous_bernoulli"), IMAGE),
    "t, classes": (ivae(["t"], c_dim=3), classes(IMAGE)),
    "r, properties": (ivae(["r"], c_dim=2), properties(IMAGE)),
    "convolutions": (convolving, IMAGE),
    "spectra": (spectral(iVAE, 2), SPECTRA),
    "spectra, t": (spectral(iVAE, 2, ["t"]), SPECTRA),
    "spectra, t, gaussian": (spectral(iVAE, 2, ["t"], sampler_d="gaussian"), SPECTRA),
}
BY_PYRO: dict[str, tuple[Callable[[], nn.Module], PatchGrid]] = {
    "joint": (lambda: jiVAE((SIZE, SIZE), 2, 3, **SMALL), IMAGE),
    "joint, rt": (lambda: jiVAE((SIZE, SIZE), 2, 3, ["r", "t"], **SMALL), IMAGE),
    "joint, ts": (lambda: jiVAE((SIZE, SIZE), 1, 2, ["t", "s"], **SMALL), IMAGE),
    "joint spectra, t": (spectral(jiVAE, 1, 3, ["t"]), SPECTRA),
    "semi-supervised": (lambda: ssiVAE((SIZE, SIZE), 2, 3, **SMALL), classes(IMAGE, 0.7)),
    "semi-supervised, rt": (
        lambda: ssiVAE((SIZE, SIZE), 2, 3, ["r", "t"], **SMALL), classes(IMAGE, 0.7),
    ),
    "semi-supervised, all told": (lambda: ssiVAE((SIZE, SIZE), 2, 3, **SMALL), classes(IMAGE)),
    "semi-supervised spectra": (spectral(ssiVAE, 2, 3, ["t"]), classes(SPECTRA, 0.5)),
    "regression": (lambda: ss_reg_iVAE((SIZE, SIZE), 2, 2, **SMALL), properties(IMAGE, 0.7)),
    "regression, t": (
        lambda: ss_reg_iVAE((SIZE, SIZE), 2, 2, ["t"], **SMALL), properties(IMAGE, 0.7),
    ),
    "encoder-decoder": (ved, of_spectra(IMAGE)),
}  # fmt: skip
EVERY = INVARIANT | BY_PYRO


@pytest.fixture(params=list(EVERY))
def model_and_grid(request: pytest.FixtureRequest) -> tuple[nn.Module, PatchGrid]:
    make, grid = EVERY[request.param]
    return made(make), grid


def made(make: Callable[[], nn.Module]) -> Any:
    """Return the model, with torch's random state as it was."""
    with torch.random.fork_rng():
        return make()


class TestEveryModel:
    def test_has_maps_of_its_content_which_no_batch_size_changes(self, model_and_grid):
        model, grid = adapt(model_and_grid[0]), model_and_grid[1]
        maps = model.latent_maps(grid, progress=False)
        assert maps.shape[1:] == grid.shape
        assert maps.isfinite().all()
        assert_close(model.latent_maps(grid, batch_size=7, progress=False), maps)
        assert model.latent_stds(grid, progress=False).shape == maps.shape

    def test_trains_with_physics(self, model_and_grid):
        model, grid = model_and_grid
        trainer = PhysicsTrainer(model, PhysicsObjective(TotalVariation()), lr=1e-2, batch_size=20)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", phyvae.CollapsedMapsWarning)
            history = trainer.fit(grid, 8, beta=0.1, progress=False)
        assert history.neg_elbo[-1] < history.neg_elbo[0]
        assert history.psi[-1] > 0
        parts = trainer.evaluate(grid)
        assert all(np.isfinite(float(value)) for value in vars(parts).values())

    def test_trains_alike_from_one_seed_and_leaves_the_rest_of_the_world_alone(
        self, model_and_grid
    ):
        model, grid = model_and_grid
        pyro.clear_param_store()
        pyro.param("somebody's", torch.ones(3))
        ends = []
        for start in (copy.deepcopy(model), copy.deepcopy(model)):
            before = torch.get_rng_state()
            trainer = PhysicsTrainer(start, PhysicsObjective(TotalVariation()), batch_size=20)
            trainer.step(grid)
            assert torch.equal(torch.get_rng_state(), before)
            ends.append(trainer.model.state_dict())
        assert set(pyro.get_param_store().keys()) == {"somebody's"}
        assert_close(ends[0], ends[1], rtol=0, atol=0)

    def test_pyroveds_own_methods_work_on_it_after_training(self, model_and_grid):
        model, grid = adapt(model_and_grid[0]), model_and_grid[1]
        PhysicsTrainer(model, PhysicsObjective(TotalVariation()), batch_size=50).step(grid)
        vae, data = model.vae, grid.data(torch.arange(9), model.like)
        args = pyroved_arguments(model, data)[: 1 + (getattr(vae, "c_dim", 0) > 0)]
        encoded = vae.encode(*args)
        assert all(len(part) == 9 for part in encoded)
        content = torch.zeros(4, vae.z_dim - vae.coord)
        beside = [torch.eye(count)[:1].expand(4, -1) for count in conditions(vae)]
        drawn = vae.decode(content, *beside)
        expected = (16,) if isinstance(vae, VED) else model.patch_shape
        assert drawn.reshape(4, *expected).isfinite().all()
        if content.shape[1] == 2 and not beside:
            assert len(vae.manifold2d(3, plot=False)) == 9

    def test_its_file_is_loaded_into_a_new_one(self, request, tmp_path, model_and_grid):
        model, grid = model_and_grid
        other, third = (made(EVERY[request.node.callspec.params["model_and_grid"]][0])
                        for _ in range(2))  # fmt: skip
        trainer = PhysicsTrainer(model, PhysicsObjective(TotalVariation()), batch_size=20)
        trainer.step(grid)
        trainer.save(tmp_path / "run")
        trainer.model.save(tmp_path / "model")
        before = trainer.model.latent_maps(grid)
        for name in ("run", "model"):
            loaded = phyvae.load_model(tmp_path / name, model=other)
            assert torch.equal(loaded.latent_maps(grid), before)
        again = phyvae.load_trainer(tmp_path / "run", model=third)
        for one in (trainer, again):
            one.step(grid)
        assert_close(trainer.model.state_dict(), again.model.state_dict(), rtol=0, atol=0)

    def test_physics_adds_to_the_gradient_of_the_encoder_alone(self, model_and_grid):
        model, grid = adapt(model_and_grid[0]), model_and_grid[1]
        plain = gradients(model, grid, PhysicsObjective())
        driven = gradients(model, grid, PhysicsObjective(TotalVariation(), w=0.5))
        factor = next(
            float((driven[n] * plain[n]).sum() / plain[n].square().sum())
            for n in plain
            if ".decoder." in n and plain[n].any()
        )
        moved = [n for n in plain if not torch.allclose(driven[n], factor * plain[n], atol=1e-6)]
        assert moved
        assert not any(".decoder." in name for name in moved)

    def test_the_product_has_a_floor_under_its_elbo(self, model_and_grid):
        model, grid = adapt(model_and_grid[0]), model_and_grid[1]
        data = grid.data(torch.arange(20), model.like)
        posterior = model.posterior(data)
        reconstruction, _ = model.terms(
            data, posterior, 1.0, Decoding(generator=torch.Generator())
        )
        assert reconstruction > model.floor(data).mean()


def conditions(vae: Any) -> list[int]:
    """Return the widths of what a decoder takes beside the content."""
    names = ("c_dim", "discrete_dim", "num_classes", "reg_dim")
    return [getattr(vae, name) for name in names if getattr(vae, name, 0)]


def precise(model: Any) -> Any:
    """Return an adapted model in float64, in which an error of 1e-9 is one of the formula."""
    for part in model.double().modules():
        for name, value in vars(part).items():
            if isinstance(value, Tensor) and value.is_floating_point():
                setattr(part, name, value.double())  # a coordinate grid or prior, not a buffer
    return model


def gradients(model: Any, grid: PatchGrid, objective: PhysicsObjective) -> dict[str, Tensor]:
    model.zero_grad()
    data = grid.data(torch.arange(len(grid)), model.like)
    batch = torch.arange(0, len(grid), 3)
    generator = torch.Generator().manual_seed(0)
    decoding = Decoding(generator=generator)
    objective.backward(model, Batch(data, Layout(grid.shape), batch, decoding=decoding), 0.7)
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in model.named_parameters()
    }


@pytest.mark.parametrize("name", INVARIANT)
class TestClosedForm:
    def test_is_what_pyro_finds_at_the_same_latents(self, name, monkeypatch):
        make, grid = INVARIANT[name]
        model = precise(adapt(made(make)))
        data = grid.data(torch.arange(30), model.like)
        args = pyroved_arguments(model, data)
        with pyro.get_param_store().scope():
            guide = pyro.poutine.trace(model.vae.guide).get_trace(*args, scale_factor=1.0)
            replayed = pyro.poutine.replay(model.vae.model, trace=guide)
            drawn = pyro.poutine.trace(replayed).get_trace(*args, scale_factor=1.0)
        observed, latent = drawn.nodes["obs"], guide.nodes["latent"]
        posterior = model.posterior(data)
        monkeypatch.setattr(type(posterior), "sample", lambda self, generator: latent["value"])
        reconstruction, kl = model.terms(data, posterior, 1.0)
        expected = -observed["fn"].log_prob(observed["value"]).mean()
        assert_close(reconstruction, expected, rtol=1e-9, atol=1e-9)
        prior = drawn.nodes["latent"]["fn"]
        divergence = torch.distributions.kl_divergence(latent["fn"].base_dist, prior.base_dist)
        assert_close(kl, divergence.sum(-1).mean(), rtol=1e-9, atol=1e-9)

    def test_a_share_of_the_pixels_leaves_the_expected_loss_as_it_is(self, name):
        make, grid = INVARIANT[name]
        model = adapt(made(make))
        if not model.decodes_pixels:
            with pytest.raises(ValueError, match="draws whole patches"):
                PhysicsTrainer(model, pixels=0.5)
            return
        data = grid.data(torch.arange(12), model.like)
        posterior = model.posterior(data)
        count = data.pixels[0].numel()

        def reconstruction(pixels: Tensor | None) -> Tensor:
            generator = torch.Generator().manual_seed(0)
            return model.terms(data, posterior, 1.0, Decoding(pixels, generator=generator))[0]

        halves = [reconstruction(half) for half in torch.randperm(count).chunk(2)]
        assert_close(torch.stack(halves).mean(), reconstruction(None), rtol=1e-5, atol=1e-4)


def pyroved_arguments(model: Any, data: Any) -> tuple[Tensor, ...]:
    """Return the arguments that a user of pyroVED gives its model."""
    patches = data.pixels
    convolves = any(isinstance(m, nn.Conv2d) for m in model.vae.encoder_z.modules())
    if convolves or (patches.ndim == 3 and isinstance(model.vae, ssiVAE | ss_reg_iVAE)):
        patches = patches[:, None]
    if data.known is None:
        return (patches,)
    count, known = getattr(model.vae, "c_dim", 0), data.known
    if not count:
        return (patches,)
    one_hot = known if known.shape[1] == count else torch.eye(count)[known[:, 0].long()]
    return patches.flatten(1), one_hot


@pytest.mark.parametrize("name", BY_PYRO)
class TestByPyro:
    def test_reconstruction_and_kl_do_not_depend_on_beta(self, name):
        make, grid = BY_PYRO[name]
        model = adapt(made(make))
        data = grid.data(torch.arange(30), model.like)
        found = []
        for beta in (0.0, 0.5, 2.0):
            generator = torch.Generator().manual_seed(1)
            posterior = model.posterior(data)
            found.append(
                torch.stack(model.terms(data, posterior, beta, Decoding(generator=generator)))
            )
        assert_close(found[1], found[0], rtol=1e-4, atol=1e-4)
        assert_close(found[2], found[0], rtol=1e-4, atol=1e-4)
        assert found[0][1].abs() > 1e-4

    def test_loss_and_gradient_are_those_of_pyroveds_trainers(self, name):
        make, grid = BY_PYRO[name]
        model = precise(adapt(made(make)))
        vae, index = model.vae, torch.arange(30)
        beta = 0.75  # pyroVED rounds it to float32
        data = grid.data(index, model.like)
        ours = whole_gradient(model, data, beta)
        vae.zero_grad()
        total = torch.zeros(())
        generator = torch.Generator().manual_seed(3)
        with pyro.get_param_store().scope():
            for args, labelled in pyroved_batches(model, data):
                seed = int(torch.randint(2**62, (), generator=generator))
                enumerates = not isinstance(vae, ss_reg_iVAE | VED)
                torch.manual_seed(seed)
                total = total + own_loss(vae, args, beta, enumerates, labelled)
        (total / len(index)).backward()
        theirs = {n: p.grad for n, p in vae.named_parameters() if p.grad is not None}
        assert_close(ours[0], (total / len(index)).detach(), rtol=1e-9, atol=1e-9)
        assert theirs.keys() == ours[1].keys()
        for parameter, gradient in theirs.items():
            assert_close(ours[1][parameter], gradient, rtol=1e-8, atol=1e-9)


class TestClassWeight:
    def terms(self, weight: float, beta: float, seed: int = 1) -> tuple[Any, Tensor, Tensor]:
        make, grid = BY_PYRO["joint, rt"]
        model = adapt(made(make), class_weight=weight)
        data = grid.data(torch.arange(30), model.like)
        generator = torch.Generator().manual_seed(seed)
        return model, *model.terms(
            data, model.posterior(data), beta, Decoding(generator=generator)
        )

    def test_loss_is_pyroveds_with_two_scale_factors(self):
        model, reconstruction, kl = self.terms(5.0, 0.7)
        data = BY_PYRO["joint, rt"][1].data(torch.arange(30), model.like)
        generator = torch.Generator().manual_seed(1)
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        with pyro.get_param_store().scope():
            total = own_loss(model.vae, (data.pixels,), [0.7, 3.5], True, False)
        assert_close(reconstruction + 0.7 * kl, total / 30, rtol=1e-5, atol=1e-4)

    def test_it_leaves_the_reconstruction_and_counts_in_the_kl(self):
        found = {weight: self.terms(weight, 0.7)[1:] for weight in (1.0, 2.0, 3.0)}
        for reconstruction, _ in found.values():
            assert_close(reconstruction, found[1.0][0], rtol=1e-4, atol=1e-4)
        of_classes = found[2.0][1] - found[1.0][1]
        assert of_classes > 1e-5
        assert_close(found[3.0][1] - found[2.0][1], of_classes, rtol=1e-2, atol=1e-5)

    def test_refinement_weighs_classes_alike(self):
        make, grid = BY_PYRO["joint"]
        objective, vae = PhysicsObjective(TotalVariation("none")), made(make)
        options = {"strength": 0.0, "progress": False}
        one = phyvae.refine(adapt(vae, class_weight=4.0), grid, objective, beta=0.5, **options)
        other = phyvae.refine(vae, grid, objective, beta=2.0, **options)
        assert_close(one.maps, other.maps)
        assert not torch.allclose(
            one.maps, phyvae.refine(vae, grid, objective, beta=0.5, **options).maps
        )

    def test_a_run_with_another_is_not_resumed(self, tmp_path):
        make, grid = BY_PYRO["joint"]
        path = tmp_path / "run"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", phyvae.CollapsedMapsWarning)
            trainer = PhysicsTrainer(adapt(made(make), class_weight=2.0))
            trainer.fit(grid, 1, checkpoint=path, progress=False)
        with pytest.raises(phyvae.CheckpointError, match="class_weight"):
            PhysicsTrainer(made(make)).fit(grid, 2, resume=path, progress=False)

    @pytest.mark.parametrize("weight", [0.0, -1.0, np.nan, np.inf])
    def test_other_numbers_are_refused(self, weight):
        with pytest.raises(ValueError, match=r"class_weight=.* must be > 0 and finite"):
            adapt(made(BY_PYRO["joint"][0]), class_weight=weight)

    def test_so_are_other_models(self):
        for model in (made(ivae(None)), ShiftVAE((SIZE, SIZE))):
            with pytest.raises(ValueError, match=r"class_weight=2\.0 is for a jiVAE"):
                adapt(model, class_weight=2.0)

    def test_advice_on_collapsed_maps_is_that_for_classes(self):
        make, grid = BY_PYRO["joint"]
        with pytest.warns(phyvae.CollapsedMapsWarning, match="start from a larger beta"):
            PhysicsTrainer(made(make)).fit(grid, 1, beta=50.0, progress=False)


def own_loss(
    vae: Any, args: tuple[Tensor, ...], beta: float | list[float], enumerates: bool, labelled: bool
) -> Tensor:
    """Return the loss as pyroVED's SVItrainer and auxSVItrainer set it up."""
    guide = vae.guide
    elbo = pyro.infer.Trace_ELBO()
    if enumerates:
        guide = pyro.infer.config_enumerate(guide, "parallel", expand=True)
        elbo = pyro.infer.TraceEnum_ELBO(max_plate_nesting=1, strict_enumeration_warning=False)
    loss = elbo.differentiable_loss(vae.model, guide, *args, scale_factor=beta)
    if labelled:
        auxiliary = pyro.infer.Trace_ELBO()
        loss = loss + auxiliary.differentiable_loss(vae.model_aux, vae.guide_aux, *args)
    return loss


def pyroved_batches(model: Any, data: Any) -> list[tuple[tuple[Tensor, ...], bool]]:
    patches = data.pixels
    shown = patches[:, None] if patches.ndim == 3 else patches
    if isinstance(model.vae, VED):
        return [((shown, data.known), False)]
    if isinstance(model.vae, jiVAE):
        return [((patches,), False)]
    told = ~data.known.isnan().any(1)
    known = data.known[told]
    if isinstance(model.vae, ssiVAE):
        known = torch.eye(model.vae.num_classes)[known[:, 0].long()]
    batches = [((shown[~told],), False), ((shown[told], known), True)]
    return [batch for batch in batches if len(batch[0][0])]


def whole_gradient(model: Any, data: Any, beta: float) -> tuple[Tensor, dict[str, Tensor]]:
    """Return −ELBO of the data and the gradient that an objective without physics adds."""
    model.zero_grad()
    generator = torch.Generator().manual_seed(3)
    count = len(data)
    layout, batch = Layout((1, count)), torch.arange(count)
    decoding = Decoding(generator=generator)
    parts = PhysicsObjective().backward(model, Batch(data, layout, batch, decoding=decoding), beta)
    named = model.vae.named_parameters()
    return parts.neg_elbo, {n: p.grad.clone() for n, p in named if p.grad is not None}


class TestAdapt:
    def test_a_model_that_pyroved_trained_goes_on_with_physics(self):
        patches = IMAGE.patches.reshape(-1, SIZE, SIZE)
        with torch.random.fork_rng(), pyro.get_param_store().scope():
            vae = iVAE((SIZE, SIZE), 2, ["r", "t"], **SMALL)
            trainer = pyroved.trainers.SVItrainer(vae, lr=1e-2, device="cpu")
            for _ in range(2):
                trainer.step(pyroved.utils.init_dataloader(patches, batch_size=32))
        mean, std = vae.encode(patches)
        model = adapt(vae)
        assert model.vae is vae
        assert_close(model.latent_maps(IMAGE).reshape(2, -1).T, mean[:, 3:])
        assert_close(model.latent_stds(IMAGE).reshape(2, -1).T, std[:, 3:])
        PhysicsTrainer(vae, PhysicsObjective(TotalVariation())).step(IMAGE)
        assert not torch.equal(vae.encode(patches)[0], mean)

    def test_says_what_the_columns_are(self):
        columns = adapt(made(ivae(["t", "r", "s"]))).columns
        assert columns["angle"] == slice(0, 1)
        assert columns["shift"] == slice(1, 3)
        assert columns["scale"] == slice(3, 4)
        assert columns["content"] == slice(4, None)
        assert ShiftVAE((SIZE, SIZE)).columns == {"shift": slice(0, 2), "content": slice(2, 4)}

    @pytest.mark.parametrize("invariances", [["t"], ["r", "t"], ["t", "s"], ["r", "t", "s"]])
    @pytest.mark.parametrize("shape", [(SIZE, SIZE), (SIZE, SIZE + 4)])
    def test_shifts_and_angles_say_where_and_how_the_content_lies(self, invariances, shape):
        grid = PatchGrid(IMAGE.image, shape, 4, percentiles=None)
        priors = {"sc_prior": 0.3, "dx_prior": 0.4, "dy_prior": 0.2}
        model = adapt(made(lambda: iVAE(shape, 2, invariances, **SMALL, **priors)))
        latents = model.posterior(grid.data(grid.indices, model.like)).mean.detach()
        # Where the decoder draws each pixel is linear in where the pixel is.
        drawn_at = model.coordinates(latents).numpy()
        pixels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 2)
        design = np.column_stack([pixels, np.ones(len(pixels))])
        shifts, turned = model.shifts(grid).flatten(1).T, []
        for at, shift in zip(drawn_at, shifts.numpy(), strict=True):
            affine = np.linalg.lstsq(design, at, rcond=None)[0]
            middle = np.linalg.solve(affine[:2].T, -affine[2])
            np.testing.assert_allclose(shift, middle - (np.array(shape) - 1) / 2, atol=1e-3)
            down, right = np.linalg.solve(affine[:2].T, (0.0, -1.0))  # to the right is -1
            turned.append(np.arctan2(-down * (shape[1] - 1), right * (shape[0] - 1)))
        if "r" in invariances:
            angles = model.angles(grid).flatten().numpy()
            assert np.ptp(angles) > 0.05
            np.testing.assert_allclose(np.angle(np.exp(1j * (angles - turned))), 0, atol=1e-4)

    def test_models_without_shifts_or_angles_say_so(self):
        with pytest.raises(
            ValueError, match=r"has no angles; its latents are shift, content"
        ):
            ShiftVAE((SIZE, SIZE)).angles(IMAGE)
        with pytest.raises(ValueError, match=r"no shifts.*invariances=\['t'\]"):
            adapt(made(ivae(["r"]))).shifts(IMAGE)

    def test_leaves_phyvaes_own_models_as_they_are(self):
        model = ShiftVAE((SIZE, SIZE))
        assert adapt(model) is model
        adapted = adapt(made(ivae(None)))
        assert adapt(adapted) is adapted

    def test_maps_of_a_joint_model_end_with_probabilities(self):
        model = adapt(made(BY_PYRO["joint, rt"][0]))
        maps = model.latent_maps(IMAGE)
        assert maps.shape == (2 + 3, *IMAGE.shape)
        assert_close(maps[2:].sum(0), torch.ones(IMAGE.shape))
        spread = model.latent_stds(IMAGE)[2:]
        assert_close(spread**2, maps[2:] * (1 - maps[2:]), rtol=1e-4, atol=1e-6)

    def test_physics_can_act_on_the_classes_alone(self):
        make, grid = BY_PYRO["joint"]
        objective = PhysicsObjective(TotalVariation(), channels=[2, 3, 4], strength=1.0)
        trainer = PhysicsTrainer(made(make), objective, lr=1e-2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", phyvae.CollapsedMapsWarning)
            history = trainer.fit(grid, 3, beta=0.1, progress=False)
        assert np.isfinite(history.loss).all()

    def test_physics_of_classes_is_not_let_act_on_latents(self):
        make, grid = BY_PYRO["joint"]
        loss = phyvae.ClassOccupancy(scaling="probabilities")
        for channels, message in [
            (None, r"5 maps, of which 2 are no class.*channels=\[2, 3, 4\]"),
            ([0, 1], r"2 maps, of which 2 are no class"),
            ([5], r"channels=\(5,\) but the model has 5 latent maps"),
        ]:
            objective = PhysicsObjective(loss, channels=channels)
            with pytest.raises(ValueError, match=message):
                PhysicsTrainer(made(make), objective).step(grid)
            with pytest.raises(ValueError, match=message):
                phyvae.refine(made(make), grid, objective, progress=False)
        PhysicsTrainer(made(make), PhysicsObjective(loss, channels=[2, 3, 4])).step(grid)
        semi, told = BY_PYRO["semi-supervised"]
        PhysicsTrainer(made(semi), PhysicsObjective(loss)).step(told)
        with pytest.raises(ValueError, match="2 maps, of which 2 are no class"):
            PhysicsTrainer(ShiftVAE((SIZE, SIZE)), PhysicsObjective(loss)).step(IMAGE)

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("t", ["$z_{1}$", "$z_{2}$"]),
            ("joint, ts", ["$z_{1}$", "P(class 0)", "P(class 1)"]),
            ("semi-supervised", ["P(class 0)", "P(class 1)", "P(class 2)"]),
            ("regression", ["property 0", "property 1"]),
            ("encoder-decoder", ["$z_{1}$", "$z_{2}$"]),
        ],
    )
    def test_maps_have_names(self, name, expected):
        make, grid = EVERY[name]
        model = adapt(made(make))
        maps = model.latent_maps(grid)
        assert model.map_names == expected
        _, axes = phyvae.plot_latent_maps(maps, names=model.map_names)
        assert [ax.get_title() for ax in axes] == expected
        plt.close("all")

    def test_labels_are_learned(self):
        # The label is the quadrant: nothing in the pixels tells of it but a bright corner.
        rng = np.random.default_rng(0)
        image = rng.random((64, 64)) * 0.5
        truth = np.zeros((8, 8), dtype=int)
        truth[:, 4:], truth[4:] = 1, 2
        marks = np.kron(truth, np.pad(np.ones((4, 4)), ((0, 4), (0, 4)))) / 4
        grid = PatchGrid(image + marks, size=8, step=8)
        told = np.where(rng.random((8, 8)) < 0.5, truth, -1)
        trainer = PhysicsTrainer(
            made(BY_PYRO["semi-supervised"][0]), lr=1e-2, warmup=0, batch_size=32
        )
        trainer.fit(grid.with_known(told), 60, progress=False)
        found = trainer.model.latent_maps(grid.with_known(told)).argmax(0).numpy()
        assert (found == truth)[told < 0].mean() > 0.9

    def test_moves_what_pyroved_keeps_as_plain_attributes(self):
        model = adapt(made(INVARIANT["rts"][0])).double()
        assert model.vae.grid.dtype == model.vae.t_prior.dtype == torch.float64
        assert model.latent_maps(IMAGE).dtype == torch.float64

    def test_a_run_can_be_resumed(self, tmp_path):
        path = tmp_path / "run.phyvae"
        make, grid = BY_PYRO["joint"]

        def trainer() -> PhysicsTrainer:
            return PhysicsTrainer(made(make), PhysicsObjective(TotalVariation()), batch_size=20)

        whole, half, rest = trainer(), trainer(), trainer()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", phyvae.CollapsedMapsWarning)
            whole.fit(grid, 4, progress=False)
            half.fit(grid, 2, checkpoint=path, progress=False)
            rest.fit(grid, 4, resume=path, progress=False)
        assert_close(rest.model.state_dict(), whole.model.state_dict(), rtol=0, atol=0)
        with pytest.raises(phyvae.CheckpointError, match="jiVAE, and code is not saved"):
            phyvae.load_trainer(path)

    def test_sweep_takes_them(self):
        make, grid = BY_PYRO["joint"]
        settings = {f"{w}": PhysicsObjective(TotalVariation(), w=w) for w in (0.1, 0.5)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", phyvae.CollapsedMapsWarning)
            found = phyvae.sweep(grid, settings, 1, model=lambda seed: made(make), progress=False)
            alone = PhysicsTrainer(made(make), settings["0.5"])
            alone.fit(grid, 1, progress=False)
        assert_close(found.maps["0.5"], alone.model.latent_maps(grid))


# Classes have a refinement of their own, see test_class_refinement.py.
REFINED = [name for name in EVERY if not name.startswith(("joint", "semi"))]


class TestRefine:
    objective = PhysicsObjective(TotalVariation("none"))

    @pytest.mark.parametrize("name", REFINED)
    def test_lowers_the_energy(self, name):
        make, grid = EVERY[name]
        model = adapt(made(make))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", phyvae.CollapsedMapsWarning)
            PhysicsTrainer(model, lr=1e-2, batch_size=20).fit(grid, 3, beta=0.1, progress=False)
        for likelihood in (None, "decoder"):
            found = phyvae.refine(
                model, grid, self.objective, likelihood=likelihood, iterations=2, samples=2,
                progress=False,
            )  # fmt: skip
            assert found.maps.shape == model.latent_maps(grid).shape
            assert found.maps.isfinite().all()
            assert found.stds.isfinite().all()
            assert (found.energy.diff() <= 0).all()
            assert found.shifts.shape[0] == len(model.shift_scale)

    def test_gives_what_it_gives_for_a_shift_vae_of_the_same_weights(self):
        own = ShiftVAE((SIZE, SIZE), dx_prior=0.1, hidden_dim_e=(6, 5), hidden_dim_d=(6, 5))
        PhysicsTrainer(own, lr=1e-2, warmup=0, batch_size=20).fit(
            IMAGE, 10, beta=0.1, progress=False
        )
        vae = made(ivae(["t"]))
        vae.load_state_dict(own.state_dict())
        one, other = (
            phyvae.refine(model, IMAGE, self.objective, iterations=2, samples=2, progress=False)
            for model in (own, vae)
        )
        assert_close(other.maps, one.maps, rtol=1e-2, atol=1e-2)
        assert_close(other.shifts, one.shifts, rtol=1e-2, atol=1e-2)
        assert_close(other.energy, one.energy, rtol=1e-5, atol=1e-4)

    def test_of_properties_learns_from_neighbours_and_keeps_what_is_known(self):
        truth = np.repeat([[-1.0, 1.0]], 6, axis=1).repeat(12, axis=0)
        dot = np.exp(-(np.hypot(*np.mgrid[-3:4, -3:4]) ** 2) / 4)
        clean = 0.5 + 0.2 * np.kron(truth, dot)
        image = clean + 0.25 * np.random.default_rng(0).normal(size=clean.shape)
        known = np.full(truth.shape, np.nan)
        known[::3, ::2] = truth[::3, ::2]
        grid = PatchGrid(image, 7, 7, percentiles=None).with_known(known)
        vae = made(lambda: ss_reg_iVAE(
            (7, 7), 1, 1, hidden_dim_e=[16], hidden_dim_d=[16], hidden_dim_reg=[16],
            sampler_d="gaussian", sigmoid_d=False, decoder_sig=0.25,
        ))  # fmt: skip
        trainer = PhysicsTrainer(vae, batch_size=16, lr=5e-3, warmup=0)
        trainer.fit(grid, 60, progress=False)
        before = trainer.model.latent_maps(grid)[0].numpy()
        found = phyvae.refine(trainer.model, grid, self.objective, progress=False)
        after, told = found.maps[0].numpy(), np.isfinite(known)
        right = [(np.sign(z) == truth)[~told].mean() for z in (before, after)]
        assert right[0] < 0.85
        assert right[1] > 0.95
        np.testing.assert_allclose(after[told], truth[told], atol=0.01)
        assert (found.stds[0].numpy()[told] < 0.01).all()

    @pytest.mark.parametrize("name", ["joint", "semi-supervised", "regression"])
    def test_the_encoders_word_alone_is_refused_where_it_does_not_say_how_sure_it_is(self, name):
        make, grid = EVERY[name]
        with pytest.raises(ValueError, match="does not say how far each patch can be trusted"):
            phyvae.refine(made(make), grid, self.objective, likelihood="encoder", progress=False)


class TestDecode:
    """pyroVED's own decode is the oracle."""

    @pytest.mark.parametrize(
        "name", ["vae", "r", "t", "rts, gaussian", "convolutions", "spectra, t"]
    )
    def test_of_latents_alone(self, name):
        model = adapt(made(EVERY[name][0]))
        z = torch.randn(5, model.latent_dim)
        assert_close(model.decode(z), model.vae.decode(z).reshape(5, *model.patch_shape))

    @pytest.mark.parametrize("name", ["t, classes", "joint, rt", "semi-supervised, rt"])
    def test_of_a_class(self, name):
        model = adapt(made(EVERY[name][0]))
        z = torch.randn(5, model.latent_dim)
        of_class = torch.tensor([0.0, 1.0, 0.0]).expand(5, -1)
        expected = model.vae.decode(z, of_class).reshape(5, *model.patch_shape)
        assert_close(model.decode(z, known=1), expected)
        assert_close(model.decode(z, known=[0.0, 1.0, 0.0]), expected)
        assert not torch.equal(model.decode(z, known=2), expected)

    @pytest.mark.parametrize("name", ["r, properties", "regression, t"])
    def test_of_properties(self, name):
        model = adapt(made(EVERY[name][0]))
        z, known = torch.randn(5, model.latent_dim), torch.tensor([0.3, -2.0])
        expected = model.vae.decode(z, known.expand(5, -1)).reshape(5, *model.patch_shape)
        assert_close(model.decode(z, known=known), expected)

    def test_of_an_encoder_decoder_is_what_it_predicts(self):
        model = adapt(made(ved))
        assert model.decode(torch.randn(5, 2)).shape == (5, 16)

    def test_draws_manifolds(self):
        for name, known in {"t": None, "joint": 2, "regression": [0.1, 0.2]}.items():
            _, (ax,) = phyvae.plot_manifold(made(EVERY[name][0]), n=3, known=known)
            assert ax.images[0].get_array().shape == (3 * SIZE, 3 * SIZE)
        plt.close("all")

    @pytest.mark.parametrize(
        ("name", "z", "known", "message"),
        [
            ("t", torch.zeros(5, 4), None, r"z has shape \(5, 4\), but must be \(n, 2\)"),
            ("t", torch.zeros(5, 2), 1, "known=1, but this iVAE decodes latents alone"),
            ("joint", torch.zeros(5, 2), None, "known=None, but this jiVAE decodes latents together with 3 values"),
            ("joint", torch.zeros(5, 2), 3, "known=3 must be a class from 0 to 2, or 3 values"),
            ("regression", torch.zeros(5, 2), [1.0], r"known=\[1.0\] must be a class"),
        ],
    )
    def test_refusals(self, name, z, known, message):
        with pytest.raises(ValueError, match=message):
            adapt(made(EVERY[name][0])).decode(z, known)


class TestPrediction:
    @pytest.mark.parametrize(
        "name",
        ["semi-supervised", "regression", "semi-supervised spectra", "encoder-decoder"],
    )
    def test_needs_nothing_known(self, name):
        make, grid = EVERY[name]
        model, bare = adapt(made(make)), copy.copy(grid)
        bare.known = None
        assert_close(model.latent_maps(bare), model.latent_maps(grid))

    @pytest.mark.parametrize("name", ["semi-supervised", "regression"])
    def test_but_training_does_of_one_grid_at_least(self, name):
        make, grid = EVERY[name]
        bare = copy.copy(grid)
        bare.known = None
        unknown = grid.with_known(np.full(grid.shape, np.nan))
        for untold in (bare, [bare, bare]) + ((unknown,) if name != "regression" else ()):
            with pytest.raises(ValueError, match="nothing is known of any patch, but an"):
                PhysicsTrainer(made(make)).fit(untold, 1, progress=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", phyvae.CollapsedMapsWarning)
            PhysicsTrainer(made(make)).fit([bare, grid], 1, progress=False)

    def test_spectra_must_be_known_to_be_compared_with(self):
        trainer, objective = PhysicsTrainer(made(ved)), PhysicsObjective(TotalVariation("none"))
        for compare in (
            lambda: trainer.fit([of_spectra(IMAGE), IMAGE], 1, progress=False),
            lambda: trainer.evaluate(IMAGE),
            lambda: phyvae.refine(
                trainer.model, IMAGE, objective, likelihood="decoder", progress=False
            ),
        ):
            with pytest.raises(ValueError, match="a VED needs the spectrum to predict"):
                compare()

    def test_the_encoders_word_refines_without_spectra(self):
        model = made(ved)
        bare, known = (
            phyvae.refine(model, grid, samples=2, progress=False)
            for grid in (IMAGE, of_spectra(IMAGE))
        )
        assert_close(bare.maps, known.maps)
        assert bare.maps.isfinite().all()

    @pytest.mark.parametrize("name", ["semi-supervised", "regression"])
    def test_evaluates_and_refines_with_nothing_known(self, name):
        make, grid = EVERY[name]
        bare = copy.copy(grid)
        bare.known = None
        trainer = PhysicsTrainer(made(make), PhysicsObjective(TotalVariation("none")))
        assert trainer.evaluate(bare).neg_elbo.isfinite()
        options = {"iterations": 1, "samples": 2, "progress": False}
        found = phyvae.refine(trainer.model, bare, trainer.objective, **options)
        assert found.maps.isfinite().all()


class TestRefusals:
    def test_of_what_is_no_model(self):
        with pytest.raises(TypeError, match="type Linear, but must be a ShiftVAE"):
            PhysicsTrainer(nn.Linear(2, 2))

    def test_of_a_model_that_does_not_know_its_patches(self):
        vae = ved().vae
        with pytest.raises(ValueError, match="patch_shape is needed: this VED"):
            PhysicsTrainer(vae)
        with pytest.raises(ValueError, match=r"patch_shape=\(4, 4\), but the model was made for"):
            adapt(made(ivae(None)), patch_shape=(4, 4))

    @pytest.mark.parametrize("settings", [{"precision": "bfloat16"}])
    def test_of_what_only_a_shift_vae_can(self, settings):
        with pytest.raises(ValueError, match="only a ShiftVAE"):
            PhysicsTrainer(made(ivae(["r"])), **settings)

    @pytest.mark.parametrize(
        ("name", "grid", "message"),
        [
            ("t", classes(IMAGE), "known values, of which iVAE makes no use"),
            ("joint", classes(IMAGE), "known values, of which jiVAE makes no use"),
            ("t, classes", IMAGE, "an iVAE with c_dim=3 needs a class or 3 properties"),
            ("t, classes", classes(IMAGE, 0.5), r"the values of each patch, but \d+ of 156 are"),
            ("t, classes", properties(IMAGE), "2 known value.* but an iVAE with c_dim=3 takes 1"),
            ("r, properties", classes(IMAGE), r"whole numbers from 0 to 1"),
            ("semi-supervised", IMAGE, "an ssiVAE learns from the class, -1 where unknown"),
            ("semi-supervised", properties(IMAGE), "2 known value.*ssiVAE of 3 classes takes 1"),
            ("regression", IMAGE, "an ss_reg_iVAE learns from properties, NaN where"),
            ("regression", classes(IMAGE), "1 known value.*reg_dim=2 takes 2"),
            ("encoder-decoder", IMAGE, "a VED needs the spectrum to predict"),
            ("encoder-decoder", properties(IMAGE), "2 known value.*predicts 16 points takes 16"),
        ],
    )
    def test_of_known_values_that_do_not_suit_the_model(self, name, grid, message):
        trainer = PhysicsTrainer(made(EVERY[name][0]))
        with pytest.raises(ValueError, match=message):
            trainer.step(grid)
        if "learns from" in message or "to predict" in message:
            return  # and predicts without
        with pytest.raises(ValueError, match=message):
            trainer.model.latent_maps(grid)

    def test_of_intensities_that_a_decoder_cannot_draw(self):
        image = IMAGE.image * 3 - 1
        grid = PatchGrid(image, size=SIZE, percentiles=None)
        with pytest.raises(ValueError, match="a Bernoulli decoder needs"):
            PhysicsTrainer(made(ivae(["r"]))).step(grid)
        spectra_beyond = grid.with_known(np.full((*grid.shape, 16), 2.0))
        with pytest.raises(ValueError, match="the spectrum to predict spans 2 to 2"):
            PhysicsTrainer(ved()).step(spectra_beyond)

    def test_a_shift_vae_makes_no_use_of_known_values(self):
        with pytest.raises(ValueError, match="of which a ShiftVAE makes no use"):
            PhysicsTrainer(ShiftVAE((SIZE, SIZE))).step(classes(IMAGE))
