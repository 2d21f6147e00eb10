r"""
Classes of the model's own
==========================

The other examples segment latent maps after training. In pyroVED's ``jiVAE`` they are learnt:
besides continuous latents, its encoder returns the probability of each class for a patch.
Here an interface energy acts on these probabilities, and on nothing else.
"""

# %%
# Patches on the lattice
# ----------------------
# Each patch is centred on a column, so that no shift has to be learnt, and the map has one cell
# per unit cell. The phantom knows where its columns are; in your image, `phyvae.find_sites` finds
# them.

import copy

import pyroved
import torch

import phyvae

seed = 0
phantom = phyvae.phantoms.bfo((320, 320), noise=0.18, dose=55.0, seed=seed)
grid = phyvae.PatchGrid.at(phantom.image, phantom.sites, size=16)
truth = grid.sample(phantom.domains)

# %%
# Three starts
# ------------
# `PhysicsTrainer` takes any pyroVED model. Making one sets torch's global random state, which
# ``fork_rng`` undoes.
#
# Classes may stay empty: early on, one class takes all patches, or the continuous latent separates
# domains in their place. A large β in the beginning works against both, for it keeps classes
# undecided and continuous latents dear. It does so only if the model learns meanwhile, so there is
# no ``warmup``: that protects what an earlier training has learnt, here nothing yet, and its 300
# steps would take most of these 480. Yet some starts fail. So there are three, and the one of
# lowest −ELBO goes on, a choice that needs no truth. It is −ELBO at the β of the training, 5: at
# β = 1 a model whose continuous latent separates two domains in one class is as good.

beta = phyvae.LinearBeta(20.0, 5.0, epochs=40)
starts = {}
for start in range(3):
    with torch.random.fork_rng():
        vae = pyroved.models.jiVAE(
            grid.patch_shape,
            latent_dim=1,
            discrete_dim=3,
            sampler_d="gaussian",
            decoder_sig=0.06,  # about the noise of the scaled image
            seed=start,
            device="cpu",
        )
    trainer = phyvae.PhysicsTrainer(vae, warmup=0, batch_size=50, seed=start)
    trainer.fit(grid, epochs=40, beta=beta, progress=False)
    neg_elbo = float(trainer.evaluate(grid, beta=5.0).neg_elbo)
    classes = trainer.model.latent_maps(grid)[1:].argmax(dim=0)
    ari = phyvae.adjusted_rand_index(classes, truth)
    print(f"start {start}: −ELBO {neg_elbo:.1f} nats per patch, ARI {ari:.3f}")
    starts[neg_elbo] = vae
best = starts[min(starts)]

# %%
# With physics, and without
# -------------------------
# The maps of a ``jiVAE`` are its latents, here one, and then the probabilities of its classes:
# channels 1, 2 and 3 are what the physics sees. It comes in once there are classes. From the
# beginning, it drew classes together before they meant anything, and more starts left one empty.

objectives = {
    "without physics": None,
    "interface energy": phyvae.PhysicsObjective(phyvae.TotalVariation(), channels=[1, 2, 3]),
}
found = {}
for name, objective in objectives.items():
    trainer = phyvae.PhysicsTrainer(copy.deepcopy(best), objective, batch_size=50)
    trainer.fit(grid, epochs=20, beta=5.0, progress=False)
    probabilities = trainer.model.latent_maps(grid)[1:]
    labels = phyvae.match_labels(probabilities.argmax(dim=0), truth)
    found[name] = probabilities, labels
    ari = phyvae.adjusted_rand_index(labels, truth)
    walls = phyvae.wall_length_ratio(labels, truth)
    neg_elbo = float(trainer.evaluate(grid).neg_elbo)
    print(f"{name}: −ELBO {neg_elbo:.1f}, ARI {ari:.3f}, walls {walls:.2f} times the true ones")

# %%
# Probabilities and classes
# -------------------------
# A patch of one unit cell is clear enough by itself, so little is left for the physics to do:
# it moves a few cells at the walls, and the reconstruction does not suffer. Classes have no
# order; here they are plotted in that of the domains they match.

rows = {}
for name, (probabilities, labels) in found.items():
    shares = [probabilities[:, torch.from_numpy(labels == k)].mean(dim=1) for k in range(3)]
    rows[name] = probabilities[[int(share.argmax()) for share in shares]], labels
fig, axes = phyvae.plot_comparison(
    rows,
    truth=truth,
    grid=grid,
    names=[f"P({name})" for name in phantom.names],
    label_names=phantom.names,
    pixel_size=0.396 / 12.6,
    unit="nm",
)
axes[1, 3].set_title("classes", fontsize=8)
fig.savefig("joint_classes.png", dpi=200)
