r"""
Particles at any orientation
============================

Rods and triangles lie on a support at random places and angles, mostly rods on one side and
triangles on the other. Which particle is which? A pyroVED model that knows of rotations and
shifts separates the kind of a particle from its pose. There is no lattice, so physics acts
on the graph of neighbours: kinds form regions, orientations do not.
"""

# %%
# The image
# ---------
# One particle in twenty is a stray, of the other kind than its neighbours: would the physics
# overrule it?

import matplotlib.pyplot as plt
import numpy as np
import pyroved
from scipy.spatial import cKDTree

import phyvae

SEED = 0
PIXEL = 0.5  # nm
SIDE = 960  # px
NOISE = 0.5  # of the intensity of a particle
rng = np.random.default_rng(SEED)
places: list[np.ndarray] = []
for place in rng.uniform(0, SIDE, (8000, 2)):
    if not places or np.hypot(*(place - np.array(places)).T).min() > 26:
        places.append(place)
particles = np.array(places)
rods_here = particles[:, 1] + 80 * np.sin(particles[:, 0] / 120) > SIDE / 2
stray = rng.random(len(particles)) < 0.05
is_rod = rods_here != stray


def drawn(rod: bool, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the intensity of a particle at pixels from its centre, at a random angle."""
    angle = rng.uniform(0, 2 * np.pi)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    if rod:
        outside = np.hypot(np.maximum(np.abs(u) - 6, 0), v) - 3.6  # px from the edge
    else:
        sides = [u * np.cos(a) + v * np.sin(a) for a in 2 * np.pi / 3 * np.arange(3)]
        outside = np.max(sides, axis=0) - 4.6
    return 1 / (1 + np.exp(np.clip(outside / 0.8, -50, 50)))


image = NOISE * rng.standard_normal((SIDE, SIDE))
for (y, x), rod in zip(particles, is_rod, strict=True):
    rows, cols = (np.arange(max(0, int(c) - 16), min(SIDE, int(c) + 17)) for c in (y, x))
    image[np.ix_(rows, cols)] += drawn(rod, *np.meshgrid(rows - y, cols - x, indexing="ij"))

# %%
# Particles to patches
# --------------------
# With ``lattice=False`` the grid is one row of patches, and ``grid.graph`` holds which particles
# are neighbours.

sites = phyvae.find_sites(image, spacing=26, sigma=5.0)
grid = phyvae.PatchGrid.at(image, sites, size=24, lattice=False, subpixel=True, percentiles=None)
_, nearest = cKDTree(particles).query(grid.sites[0])
truth, strays = is_rod[nearest].astype(int), stray[nearest]
print(grid)

# %%
# Training without and with physics
# ---------------------------------
# The trainer takes a pyroVED model as it is. Building one reseeds torch's global random state
# with its own ``seed``; the trainer has its own generators.

beta = phyvae.LinearBeta(0.05, 1.0, epochs=100)


def trained(physics: phyvae.PhysicsLoss | None) -> phyvae.PhysicsTrainer:
    """Return the trainer of a model that has learnt the particles."""
    vae = pyroved.models.iVAE(
        grid.patch_shape,
        latent_dim=2,
        invariances=["r", "t"],
        hidden_dim_d=[64, 64],
        sampler_d="gaussian",
        sigmoid_d=False,
        decoder_sig=NOISE,
        dx_prior=0.1,
        dy_prior=0.1,
        seed=SEED,
        device="cpu",
    )
    # Strength is weaker than the default of 1, so that physics does not overrule the strays. The
    # default rate protects what `align` has taught, here nothing: it is half as high, too low
    # for these epochs.
    objective = phyvae.PhysicsObjective(physics, strength=0.1)
    trainer = phyvae.PhysicsTrainer(vae, objective, lr=2e-3, seed=SEED)
    trainer.fit(grid, epochs=200, beta=beta)
    return trainer


trainers = {"rVAE": trained(None), "phy-rVAE": trained(phyvae.TotalVariation())}
maps = {name: trainer.model.latent_maps(grid) for name, trainer in trainers.items()}
kinds = {
    name: phyvae.match_labels(phyvae.segment(z, classes=2, graph=grid.graph), truth[None])
    for name, z in maps.items()
}
for name, found in kinds.items():
    score = phyvae.adjusted_rand_index(found, truth[None])
    right = int((found[0] == truth)[strays].sum())
    print(f"{name}: ARI {score:.2f}; {right} of {strays.sum()} strays as they are")

# %%
# Each particle here is recognised by itself, with or without physics: nothing is left for the
# neighbours to decide, and no stray is overruled. With ``strength=0.3`` physics draws two of the
# 32 strays halfway to the kind of their neighbours, and their labels follow. Where strays matter,
# compare with a training without physics, as here.

# %%
# Where the kinds lie
# -------------------
# Particles at the rim have no room for a patch, hence no dot.

names = ("triangles", "rods")
fig, (ax,) = phyvae.plot_sites(
    grid, kinds["phy-rVAE"], label_names=names, pixel_size=PIXEL, unit="nm", width=4.5
)
ax.collections[0].set_sizes([5])  # smaller than the particles
fig.savefig("rotation_sites.png", dpi=200)

# %%
# What was learnt
# ---------------
# Left, the latent planes, coloured by what the particles truly are. Right, what the decoder gives
# at the median of each kind found, turned and shifted by nothing.

fig, axes = plt.subplots(
    2, 3, figsize=(7.2, 4.4), layout="constrained", width_ratios=(1.5, 1, 1), squeeze=False
)
colours = ("#0072B2", "#E69F00")
reach = grid.patch_shape[0] * PIXEL / 2
for row, (method, trainer) in zip(axes, trainers.items(), strict=True):
    z = maps[method][:, 0]
    for k in (0, 1):
        row[0].scatter(*z[:, truth == k], s=5, c=colours[k], linewidths=0, label=names[k])
        middle = z[:, kinds[method][0] == k].median(1).values
        (shape,) = trainer.model.vae.decode(middle[None])
        shown = row[1 + k].imshow(
            shape.numpy(), cmap="gray", vmin=0, vmax=1, extent=(-reach, reach, reach, -reach)
        )
        row[1 + k].set(title=f"found as {names[k]}", xlabel="x (nm)", ylabel="y (nm)")
    row[0].set(title=method, xlabel="$z_1$", ylabel="$z_2$", xlim=(-1.5, 2), ylim=(-0.8, 0.9))
    fig.colorbar(shown, ax=row[1:], label="intensity (arb. units)")
axes[1, 0].legend(frameon=False, fontsize=8, loc="upper right", markerscale=2)
fig.savefig("rotation_latents.png", dpi=200)
