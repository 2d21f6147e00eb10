"""pyroVED's models, one of each kind and invariance, with small grids that suit them."""

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pyroved
import torch
from pyroved.models import VED, iVAE, jiVAE, ss_reg_iVAE, ssiVAE
from torch import Tensor, nn

import phyvae
from phyvae import PatchGrid, PhysicsObjective, adapt
from phyvae.models.options import Decoding
from phyvae.patches.layout import Layout
from phyvae.training.batches import Batch

SIZE, LENGTH = 8, 12
CONVOLVING = [(4,), (4, 4), (4, 4)]
SMALL = {"hidden_dim_e": [6, 5], "hidden_dim_d": [6, 5], "device": "cpu"}
Make = Callable[[], nn.Module]


def image_grid() -> PatchGrid:
    phantom = phyvae.phantoms.bfo((52, 56), 4.0, seed=1)
    return PatchGrid(phantom.image, size=SIZE, step=7)


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


def with_spectra(grid: PatchGrid) -> PatchGrid:
    rng = np.random.default_rng(0)
    return grid.with_known(rng.random((*grid.shape, 16)))


def without_known(grid: PatchGrid) -> PatchGrid:
    bare = copy.copy(grid)
    bare.known = None
    return bare


def ivae(invariances: list[str] | None, **settings: Any) -> Make:
    return lambda: iVAE((SIZE, SIZE), 2, invariances, **SMALL, **settings)


def ved() -> nn.Module:
    with warnings.catch_warnings():  # pyroVED's upsampling of spectra has one of its own
        warnings.simplefilter("ignore", UserWarning)
        model = VED((SIZE, SIZE), (16,), latent_dim=2, hidden_dim_e=CONVOLVING,
                    hidden_dim_d=CONVOLVING[::-1])  # fmt: skip
    return adapt(model, patch_shape=(SIZE, SIZE))


def convolving() -> nn.Module:
    model = ivae(None)()
    model.set_encoder(pyroved.nets.convEncoderNet((SIZE, SIZE), 2, hidden_dim=CONVOLVING))
    model.set_decoder(pyroved.nets.convDecoderNet(2, (SIZE, SIZE), hidden_dim=CONVOLVING))
    return adapt(model, patch_shape=(SIZE, SIZE))


def spectral(kind: type, *args: Any, **settings: Any) -> Make:
    return lambda: kind((LENGTH,), *args, **SMALL, **settings)


IMAGE, SPECTRA = image_grid(), spectra()
INVARIANT: dict[str, tuple[Make, PatchGrid]] = {
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
BY_PYRO: dict[str, tuple[Make, PatchGrid]] = {
    "joint": (lambda: jiVAE((SIZE, SIZE), 2, 3, **SMALL), IMAGE),
    "joint, rt": (lambda: jiVAE((SIZE, SIZE), 2, 3, ["r", "t"], **SMALL), IMAGE),
    "joint, ts": (lambda: jiVAE((SIZE, SIZE), 1, 2, ["t", "s"], **SMALL), IMAGE),
    "joint spectra, t": (spectral(jiVAE, 1, 3, ["t"]), SPECTRA),
    "semi-supervised": (lambda: ssiVAE((SIZE, SIZE), 2, 3, **SMALL), classes(IMAGE, 0.7)),
    "semi-supervised, rt": (
        lambda: ssiVAE((SIZE, SIZE), 2, 3, ["r", "t"], **SMALL), classes(IMAGE, 0.7),
    ),
    "semi-supervised, all known": (lambda: ssiVAE((SIZE, SIZE), 2, 3, **SMALL), classes(IMAGE)),
    "semi-supervised spectra": (spectral(ssiVAE, 2, 3, ["t"]), classes(SPECTRA, 0.5)),
    "regression": (lambda: ss_reg_iVAE((SIZE, SIZE), 2, 2, **SMALL), properties(IMAGE, 0.7)),
    "regression, t": (
        lambda: ss_reg_iVAE((SIZE, SIZE), 2, 2, ["t"], **SMALL), properties(IMAGE, 0.7),
    ),
    "encoder-decoder": (ved, with_spectra(IMAGE)),
}  # fmt: skip
EVERY = INVARIANT | BY_PYRO


def made(make: Make) -> Any:
    """Return a new model, with torch's random state left as it was."""
    with torch.random.fork_rng():
        return make()


def adapted(name: str) -> Any:
    """Return a new model of `EVERY`, adapted."""
    return adapt(made(EVERY[name][0]))


def fitted(trainer: phyvae.PhysicsTrainer, *args: Any, **options: Any) -> phyvae.History:
    """Train without a warning of collapsed maps, which short runs give."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", phyvae.CollapsedMapsWarning)
        return trainer.fit(*args, **options, progress=False)


def precise(model: Any) -> Any:
    """Return an adapted model in float64, in which an error of 1e-9 is one of the formula."""
    for part in model.double().modules():
        for name, value in vars(part).items():
            if isinstance(value, Tensor) and value.is_floating_point():
                setattr(part, name, value.double())  # a coordinate grid or prior, not a buffer
    return model


def convolves(network: nn.Module) -> bool:
    return any(isinstance(m, nn.Conv2d) for m in network.modules())


def pyroved_arguments(model: Any, data: Any) -> tuple[Tensor, ...]:
    """Return the arguments that a user of pyroVED gives its model."""
    patches, known = data.pixels, data.known
    has_channel = convolves(model.vae.encoder_z) or isinstance(model.vae, ssiVAE | ss_reg_iVAE)
    if has_channel and patches.ndim == 3:
        patches = patches[:, None]
    count = getattr(model.vae, "c_dim", 0)
    if known is None or not count:
        return (patches,)
    one_hot = known if known.shape[1] == count else torch.eye(count)[known[:, 0].long()]
    return patches.flatten(1), one_hot


def gradients(
    model: Any,
    grid: PatchGrid,
    objective: PhysicsObjective,
    decoded: Tensor,
    beta: float,
    seed: int,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return −ELBO of the decoded patches, and the gradient of the objective."""
    model.zero_grad()
    data = grid.data(torch.arange(len(grid)), model.like)
    decoding = Decoding(generator=torch.Generator().manual_seed(seed))
    batch = Batch(data, Layout(grid.shape), decoded, decoding=decoding)
    parts = objective.backward(model, batch, beta)
    named = model.named_parameters()
    return parts.neg_elbo, {n: p.grad.clone() for n, p in named if p.grad is not None}
