"""Trials on real microscopy images, where a machine has them; see PHYVAE_REAL_DATA."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from phyvae import (
    EdgeLoss,
    LinearBeta,
    PatchGrid,
    PhysicsObjective,
    PhysicsTrainer,
    ShiftVAE,
    adjusted_rand_index,
    find_domains,
    segment,
)

sys.path.append(str(Path(__file__).parents[1] / "examples" / "benchmarks"))

import real_images

pytestmark = pytest.mark.slow
BESIDE_THE_REPOSITORY = Path(__file__).parents[2] / "shared" / "data" / "real"
FOLDER = Path(os.environ.get("PHYVAE_REAL_DATA", BESIDE_THE_REPOSITORY))


def real(name, key):
    path = FOLDER / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"{name}.npz is not on this machine")
    with np.load(path) as data:
        return data[key]


def trained(grid, epochs, *, model=None, **settings):
    model = model or ShiftVAE(grid.patch_shape, dx_prior=0.3, seed=0)
    trainer = PhysicsTrainer(model, PhysicsObjective(EdgeLoss()), seed=0, **settings)
    trainer.fit(grid, epochs, beta=LinearBeta(0.1, 1.0, epochs), progress=False)
    return model


def test_the_film_and_the_substrate_of_an_oxide_are_told_apart():
    image = real("oxide_film_substrate_interface_stem", "image")
    grid = PatchGrid(image, size=40, step=20)
    model = trained(grid, epochs=8, pixels=0.1, tile=16)
    labels = segment(model.latent_maps(grid), classes=2)
    truth = grid.centers[..., 0] > 680
    assert adjusted_rand_index(labels, truth.astype(int)) > 0.9


def test_hysteresis_loops_train_as_a_grid_of_spectra():
    grid = PatchGrid.from_spectra(real("ferroelectric_beps_loops_60x60", "cube"), step=2)
    maps = trained(grid, epochs=12, warmup=0).latent_maps(grid)
    assert maps.shape == (2, 30, 30)
    assert maps.std((1, 2)).max() > 0.2


def test_energy_loss_spectra_train_with_a_gaussian_decoder():
    """With a Bernoulli decoder the maps collapse: grey spectra say too little to it."""
    grid = PatchGrid.from_spectra(real("cuzn_eels_spectrum_image", "cube"))
    gaussian = ShiftVAE(
        grid.patch_shape, dx_prior=0.3, sampler_d="gaussian", decoder_sig=0.05, seed=0
    )
    maps = trained(grid, epochs=3, model=gaussian, warmup=0).latent_maps(grid)
    assert maps.shape == (2, *grid.shape)
    assert maps.std((1, 2)).max() > 0.2


def test_an_stm_image_trains():
    image = real("graphene_vacancy_h_stm", "image")
    grid = PatchGrid(image, size=48, step=48)
    model = trained(grid, epochs=3, pixels=0.1)
    assert model.latent_maps(grid).isfinite().all()
    assert model.shifts(grid).isfinite().all()


def test_film_and_substrate_are_found_without_a_number():
    """The way of examples/benchmarks/real_images.py, before training."""
    known = real_images.IMAGES["film on substrate"]
    real(known.file, "image")
    found = find_domains(FOLDER / f"{known.file}.npz", train=False, progress=False)
    # One row of patches is worth 0.09, and none of their borders is at the wall.
    assert real_images.index_of(found, known) > 0.9
    assert found.classes == 2
