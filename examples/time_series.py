r"""
A wall that moves
=================

The same specimen is scanned again and again while one ferroelectric variant grows at the cost of
the other. How fast does the wall between them move? One model is trained on all frames, so that
a latent, and a label, means the same in each of them.
"""

# %%
# The frames
# ----------
# In each frame of this phantom, the wall lies one step further down; the noise is new, all else
# stays. A lattice constant of 12.6 px is 0.396 nm here. The patches of all frames share one scale
# of intensities, see `phyvae.PatchGrid.series`.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

import phyvae

seed, nm = 0, 0.396 / 12.6  # nm per px
phantoms = [
    phyvae.phantoms.bfo((252, 252), wall=wall, dose=150.0, noise=0.05, seed=seed, noise_seed=scan)
    for scan, wall in enumerate(np.linspace(0.3, 0.7, 6))
]
frames = np.stack([phantom.image for phantom in phantoms])
grids = phyvae.PatchGrid.series(frames, size=24, step=12)

# %%
# One model for all frames
# ------------------------
# `phyvae.align` looks at one grid. Lattice and domains are those of all frames, so one will do.
# The training then takes patches of all of them, and the physics sees the map of one frame at a
# time.

model = phyvae.ShiftVAE(grids[0].patch_shape, latent_dim=2, dx_prior=0.3, seed=seed)
phyvae.align(model, grids[0], seed=seed)
objective = phyvae.PhysicsObjective(phyvae.EdgeLoss(), w=0.1)
trainer = phyvae.PhysicsTrainer(model, objective, seed=seed)
trainer.fit(grids, steps=1000)

# %%
# One segmentation for all frames
# -------------------------------
# `phyvae.segment` takes the maps of all frames as one. A label is then the same domain in each of
# them, and nothing has to be matched from frame to frame.

maps = [model.latent_maps(grid) for grid in grids]
labels = np.stack(phyvae.segment(maps, classes=3))

# %%
# Names come from what is known of the first frame: the substrate is on the left, and the variant
# that grows is at the top right.


def most_common(cells):
    return np.bincount(cells.ravel()).argmax()


substrate, growing = most_common(labels[0, :, :3]), most_common(labels[0, :4, -8:])
names = np.full(3, 2)
names[[substrate, growing]] = 0, 1
domains = names[labels]  # 0 substrate, 1 the variant that grows, 2 the one that shrinks

# %%
# Of the latents, the figure shows the one that separates the two variants.

each = np.stack(maps, axis=1)  # channel, frame, row, col
apart = [abs(z[domains == 1].mean() - z[domains == 2].mean()) / z.std() for z in each]
shown = int(np.argmax(apart))
z = each[shown]
side, rim = 252 * nm, 6 * nm  # the outer patches have their centres 12 px inside: half a step more
whole, inner = (0, side, side, 0), (rim, side - rim, side - rim, rim)
colours = ListedColormap(["#0072B2", "#E69F00", "#009E73"])

fig, axes = plt.subplots(
    3, 6, figsize=(7, 3.7), sharex=True, sharey=True, layout="constrained", dpi=200
)
for frame, (above, middle, below) in enumerate(axes.T):
    above.imshow(frames[frame], cmap="gray", extent=whole)
    drawn = middle.imshow(z[frame], cmap="viridis", clim=(z.min(), z.max()), extent=inner)
    below.imshow(domains[frame], cmap=colours, clim=(-0.5, 2.5), extent=inner)
    above.set_title(f"frame {frame}", fontsize=8)
    below.set_xlabel("x (nm)", fontsize=8)
for ax in axes.flat:
    ax.set(xlim=whole[:2], ylim=whole[2:], xticks=[0, 3, 6], yticks=[0, 3, 6])
    ax.tick_params(labelsize=7)
for ax in axes[:, 0]:
    ax.set_ylabel("y (nm)", fontsize=8)
bar = fig.colorbar(drawn, cax=axes[1, -1].inset_axes((1.06, 0, 0.06, 1)))
bar.set_label(f"$z_{shown + 1}$", fontsize=8)
bar.ax.tick_params(labelsize=7)
what = ("substrate", "growing variant", "shrinking variant")
patches = [Patch(color=colours(k), label=name) for k, name in enumerate(what)]
fig.legend(handles=patches, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
fig.savefig("time_series_maps.png")

# %%
# How fast it moves
# -----------------
# In each column of the film, one variant lies above the wall and one below. Patches on the wall
# show both; whatever they are taken for, the wall is in their middle. The mean over the columns is
# its position. The true one is counted in the same way, pixel by pixel. The position is right to a
# fifth of a patch step, and the speed found is 5 % too low.


def wall_position(domains, spacing, start):
    """Return the mean y of the wall in each frame, nm; cells are `spacing` apart."""
    whole = (domains[:, 0] == 1) & (domains[:, -1] == 2)
    film = domains[:, :, whole.mean(axis=0) > 0.5]  # columns with one variant above, one below
    last_above, first_below = (film == 1).sum(axis=1), (film != 2).sum(axis=1)
    return start + spacing * (last_above + first_below).mean(axis=1) / 2


found = wall_position(domains, grids[0].step[0] * nm, rim)
true = wall_position(np.stack([phantom.domains for phantom in phantoms]), nm, 0.0)
time = np.arange(len(frames))

fig, ax = plt.subplots(figsize=(3.4, 2.5), layout="constrained", dpi=200)
ax.plot(time, true, color="black", lw=1, label="true")
ax.plot(time, found, "o", color="#009E73", ms=4, label="found")
ax.set_xlabel("time (frames)", fontsize=8)
ax.set_ylabel("mean position of the wall, y (nm)", fontsize=8)
ax.tick_params(labelsize=7)
ax.legend(frameon=False, fontsize=8)
fig.savefig("time_series_wall.png")

speed, true_speed = (np.polyfit(time, position, 1)[0] for position in (found, true))
error = np.sqrt(np.mean((found - true) ** 2))
print(f"The wall moves by {speed:.3f} nm per frame; in truth, by {true_speed:.3f} nm.")
print(
    f"Its position is off by {error:.3f} nm (root mean square); a patch step is {12 * nm:.3f} nm."
)
