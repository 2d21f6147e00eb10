"""pyroVED's `VED`: spectra predicted from patches."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import PhysicsObjective, PhysicsTrainer, TotalVariation
from pyroved_models import IMAGE, adapted, made, ved, with_spectra, without_known

GRID = with_spectra(IMAGE)


def test_decodes_what_it_predicts():
    assert adapted("encoder-decoder").decode(torch.randn(5, 2)).shape == (5, 16)


def test_maps_need_no_spectra():
    model = made(ved)
    assert_close(model.latent_maps(without_known(GRID)), model.latent_maps(GRID))


def test_spectra_must_be_known_to_be_compared_with():
    trainer, objective = PhysicsTrainer(made(ved)), PhysicsObjective(TotalVariation("none"))
    for compare in (
        lambda: trainer.fit([GRID, IMAGE], 1, progress=False),
        lambda: trainer.evaluate(IMAGE),
        lambda: phyvae.refine(
            trainer.model, IMAGE, objective, likelihood="decoder", progress=False
        ),
    ):
        with pytest.raises(ValueError, match="a VED needs the spectrum to predict"):
            compare()


def test_spectra_beyond_the_decoders_range_are_refused():
    beyond = IMAGE.with_known(np.full((*IMAGE.shape, 16), 2.0))
    with pytest.raises(ValueError, match="the spectrum to predict spans 2 to 2"):
        PhysicsTrainer(made(ved)).step(beyond)


def test_any_image_is_taken():
    grid = phyvae.PatchGrid(IMAGE.image * 3 - 1, size=8, step=7, percentiles=None)
    assert made(ved).latent_maps(grid).isfinite().all()


def test_refinement_by_the_encoder_needs_no_spectra():
    model = made(ved)
    bare, known = (
        phyvae.refine(model, grid, samples=2, iterations=1, progress=False)
        for grid in (IMAGE, GRID)
    )
    assert_close(bare.maps, known.maps)
    assert bare.maps.isfinite().all()
