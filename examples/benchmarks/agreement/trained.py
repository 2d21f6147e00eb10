"""Variational autoencoders: pyroVED's and AtomAI's own training, and phyvae's parts one by one.

All are shift-invariant, with two latents and the prior of the shift that the pattern's period
asks for. Parts of phyvae share the start: `phyvae.align` trains once per image and seed.
"""

import functools

import numpy as np
import torch

import phyvae

from .data import Data

__all__ = ["EPOCHS", "STEPS", "aligned", "atomai_rvae", "pyroved_trainer", "refined", "start",
           "trained"]  # fmt: skip

EPOCHS = 50  # of others' trainers
STEPS, EPOCH = 600, 20  # of ours, from the start; steps of an epoch of the schedule
BETA = phyvae.LinearBeta(0.1, 0.3, epochs=10)
# Maps, the share of each that is signal, and the maps to count domains in.
Found = tuple[np.ndarray, np.ndarray | None, np.ndarray]


def prior(period: float) -> float:
    """Return the standard deviation of the shift, in half patch sizes."""
    return 0.3 * period


def untrained(grid: phyvae.PatchGrid, period: float, seed: int) -> phyvae.ShiftVAE:
    """Return a model for a pattern of this period, in lattice constants."""
    return phyvae.ShiftVAE(grid.patch_shape, 2, dx_prior=prior(period), seed=seed)


def start(grid: phyvae.PatchGrid, period: float, seed: int) -> phyvae.ShiftVAE:
    """Return a model aligned on windows up to three eighths of a patch times the period apart."""
    model = untrained(grid, period, seed)
    reach = round(period * (3 * min(grid.patch_shape) // 8))
    phyvae.align(model, grid, reach=reach, seed=seed, progress=False)
    return model


@functools.lru_cache(maxsize=2)
def _start(data: Data, seed: int) -> dict[str, torch.Tensor]:
    return start(data.grid, data.period, seed).state_dict()


@functools.lru_cache(maxsize=8)
def _fitted(data: Data, seed: int, physics: str | None) -> phyvae.ShiftVAE:
    """Return the model of the start, or trained from there with or without physics."""
    model = untrained(data.grid, data.period, seed)
    model.load_state_dict(_start(data, seed))
    if physics != "start":
        loss = {"SL1": phyvae.EdgeLoss, "SL2": phyvae.FourierLoss, "none": lambda: None}[physics]()
        trainer = phyvae.PhysicsTrainer(model, phyvae.PhysicsObjective(loss), seed=seed)
        trainer.fit(data.grid, steps=STEPS, steps_per_epoch=EPOCH, beta=BETA, progress=False)
    return model


def aligned(data: Data, seed: int) -> Found:
    """Return the maps of the start, whose standard deviations are not trained."""
    maps = _fitted(data, seed, "start").latent_maps(data.grid).numpy()
    return maps, None, maps


def trained(data: Data, seed: int, physics: str) -> Found:
    """Return the maps of a model trained from the start with "none", "SL1" or "SL2"."""
    model = _fitted(data, seed, physics)
    maps = model.latent_maps(data.grid).numpy()
    return maps, model.signal(data.grid).numpy(), maps


def refined(data: Data, seed: int, physics: str) -> Found:
    """Return the refined maps of the start ("start") or of a trained model."""
    model = _fitted(data, seed, physics)
    found = phyvae.refine(model, data.grid, samples=4, progress=False)
    signal = None if physics == "start" else found.signal.numpy()
    return found.maps.numpy(), signal, model.latent_maps(data.grid).numpy()


def pyroved_trainer(data: Data, seed: int) -> np.ndarray:
    """Return the maps of pyroVED's shift-invariant VAE after its own training."""
    import pyroved

    patches, (side, _), shift = _patches(data), data.grid.patch_shape, prior(data.period)
    model = pyroved.models.iVAE(
        (side, side), 2, invariances=["t"], dx_prior=shift, dy_prior=shift, seed=seed
    )
    trainer = pyroved.trainers.SVItrainer(model, device="cpu", seed=seed)
    loader = pyroved.utils.init_dataloader(patches, batch_size=100)
    for _ in range(EPOCHS):
        trainer.step(loader)
    return data.maps(model.encode(patches)[0][:, -2:].numpy())


def atomai_rvae(data: Data, seed: int) -> np.ndarray:
    """Return the maps of AtomAI's rotation-invariant VAE; ImportError without ``atomai``."""
    import atomai

    patches = _patches(data).numpy()
    model = atomai.models.rVAE(data.grid.patch_shape, latent_dim=2, seed=seed)
    model.fit(patches, training_cycles=EPOCHS, batch_size=100, verbose=0)
    return data.maps(np.asarray(model.encode(patches)[0])[:, -2:])


def _patches(data: Data) -> torch.Tensor:
    return data.grid.gather(torch.arange(len(data.centres))).contiguous()
