"""`adapt`: which class a pyroVED model becomes, and when it is refused."""

import pyro
import pyroved
import pytest
import torch
from pyroved.models import iVAE
from torch import nn
from torch.testing import assert_close

from phyvae import PhysicsObjective, PhysicsTrainer, ShiftVAE, TotalVariation, adapt
from phyvae.models.encoder_decoder import AdaptedEncoderDecoder
from phyvae.models.invariant import AdaptedInvariant
from phyvae.models.joint import AdaptedJoint
from phyvae.models.semi_supervised import AdaptedRegression, AdaptedSemiSupervised
from pyroved_models import EVERY, IMAGE, SIZE, SMALL, ivae, made, ved

KINDS = {
    "rts": AdaptedInvariant,
    "joint": AdaptedJoint,
    "semi-supervised": AdaptedSemiSupervised,
    "regression": AdaptedRegression,
    "encoder-decoder": AdaptedEncoderDecoder,
}


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_has_its_class(name):
    assert type(adapt(made(EVERY[name][0]))) is KINDS[name]


def test_a_model_that_pyroved_trained_goes_on_with_physics():
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


def test_leaves_phyvaes_own_models_as_they_are():
    model = ShiftVAE((SIZE, SIZE))
    assert adapt(model) is model
    adapted = adapt(made(ivae(None)))
    assert adapt(adapted) is adapted


class TestRefusals:
    def test_of_another_module(self):
        with pytest.raises(TypeError, match="type Linear, but must be a ShiftVAE"):
            PhysicsTrainer(nn.Linear(2, 2))

    def test_of_a_model_that_does_not_keep_its_patch_shape(self):
        with pytest.raises(ValueError, match="patch_shape is needed: this VED"):
            PhysicsTrainer(made(ved).vae)
        with pytest.raises(ValueError, match=r"patch_shape=\(4, 4\), but the model was made for"):
            adapt(made(ivae(None)), patch_shape=(4, 4))

    def test_of_a_class_weight_without_classes(self):
        for model in (made(ivae(None)), ShiftVAE((SIZE, SIZE))):
            with pytest.raises(ValueError, match=r"class_weight=2\.0 is for a jiVAE"):
                adapt(model, class_weight=2.0)
