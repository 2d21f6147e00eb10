"""Spectra decoded by the model that refines them, with noise: so the true latents are known."""

import torch

import phyvae
from phyvae import PatchGrid, PhysicsObjective, ShiftVAE, TotalVariation
from phyvae.patches.known import Patches
from phyvae.patches.layout import Layout
from phyvae.refinement.encoded_grid import EncodedGrid
from phyvae.refinement.encoder_energy import EncoderEnergy
from phyvae.refinement.encoder_statistics import encoder_statistics
from phyvae.refinement.energy import LatentEnergy

SHAPE, LENGTH, NOISE, WALL = (10, 14), 24, 0.3, 6
OBJECTIVE = PhysicsObjective(TotalVariation("none"))
FAST = {"strength": 4.0, "samples": 2, "iterations": 3}


def inverting_model():
    """Return a model whose random decoder stays, and whose encoder has learnt to invert it."""
    model = ShiftVAE(
        (LENGTH,), 2, sampler_d="gaussian", decoder_sig=NOISE, sigmoid_d=False, seed=0,
        hidden_dim_e=(64,), hidden_dim_d=(32, 32), coordinate_scale=3.0,
    )  # fmt: skip
    with torch.no_grad():
        model.decoder.coord_latent.fc_latent.weight.mul_(2)
        model.decoder.out.weight.mul_(6)
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.encoder_z.parameters(), lr=3e-3)
    for _ in range(300):
        z = torch.randn(256, 3, generator=generator)
        with torch.no_grad():
            clean = model.decode(z[:, 1:], shift=z[:, :1] * model.t_prior)
        spectra = clean + NOISE * torch.randn(clean.shape, generator=generator)
        optimizer.zero_grad()
        (model.posterior(Patches(spectra)).mean - z).square().mean().backward()
        optimizer.step()
    model.zero_grad()
    return model


def truth():
    """Return content with one wall in the first channel, shape (2, rows, cols)."""
    maps = torch.zeros(2, *SHAPE)
    maps[0] = -0.8
    maps[0, :, WALL:] = 0.8
    return maps


def grid_of(model, noise=NOISE, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shift = 0.5 * torch.randn(len(truth()[0].flatten()), 1, generator=torch.Generator())
    clean = model.decode(truth().flatten(1).T, shift=shift * model.t_prior)
    cube = clean + noise * torch.randn(clean.shape, generator=generator)
    return PatchGrid.from_spectra(cube.reshape(*SHAPE, LENGTH), percentiles=None)


def refine(model, grid, objective=OBJECTIVE, likelihood="decoder", **settings):
    """Refine in few steps; all patches at a time, which is faster for so few."""
    settings = FAST | {"likelihood": likelihood, "batch_size": len(grid)} | settings
    return phyvae.refine(model, grid, objective, progress=False, **settings)


def data_of(model, grid, batch_size=256):
    return EncodedGrid(model, grid, batch_size)


def energy_of(model, grid, likelihood="decoder", objective=OBJECTIVE, beta=1.0, samples=2):
    """Return the energy that `refine` descends, without Ψ yet."""
    data, layout = data_of(model, grid), Layout.of(grid)
    if likelihood == "decoder":
        return LatentEnergy(data, layout, objective, beta)
    statistics = encoder_statistics(data, samples, 0, around=0)
    return EncoderEnergy(data, layout, objective, beta, statistics=statistics)


def encoders_noise(model, grid, samples, seed=0):
    """Return how far noise of random signs moves the encoder's content: RMS over patches."""
    patches = grid.patches.reshape(-1, LENGTH)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        clean = model.pixel_means(model.posterior(Patches(patches)).mean)
        means = []
        for _ in range(samples):
            bits = torch.randint(0, 2, grid.image.shape, generator=generator, dtype=torch.int8)
            sign = (2 * bits - 1).reshape(patches.shape)
            means.append(model.posterior(Patches(clean + sign * (patches - clean))).mean)
        return torch.stack(means).var(0).mean(0).sqrt()[1:]


def widths(model):
    """Return the encoder's own mean variance of each map."""
    return model.latent_stds(grid_of(model)).square().mean((1, 2))


def share(maps, noise):
    """Return the share of noise-free variance, for each map."""
    between = maps.var((1, 2), correction=0)
    return between / (between + noise)


def error(maps):
    """Return the RMS error; an offset of a whole map is no error."""
    return float((maps - truth()).flatten(1).std(1).square().mean().sqrt())
