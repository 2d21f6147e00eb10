"""
How much physics?
=================

Two numbers set the physics. With ``strength`` 1 the loss Ψ pulls the latents of a patch about as
hard as the reconstruction does. ``w`` is the slack: where Ψ is far below it, physics has no force.
"""

# %%
# One start, seven trainings: strength grows at w = 0.1, then w grows at strength 3.

import matplotlib.pyplot as plt
import numpy as np

import phyvae

phantom = phyvae.phantoms.bfo((280, 280), dose=4, noise=0.3, seed=0)
suggestion = phyvae.suggest(phantom.image)
grid = suggestion.grid()


def started(seed: int) -> phyvae.ShiftVAE:
    """Return the model that all trainings start from."""
    model = phyvae.ShiftVAE(grid.patch_shape, dx_prior=suggestion.dx_prior, seed=seed)
    phyvae.align(model, grid, reach=suggestion.reach, seed=seed)
    return model


pairs = [
    (0.0, 0.1),
    (1.0, 0.1),
    (3.0, 0.1),
    (10.0, 0.1),
    (3.0, 0.0),
    (3.0, 0.1),
    (3.0, 0.25),
    (3.0, 0.5),
]
sl1 = phyvae.EdgeLoss()
settings = {pair: phyvae.PhysicsObjective(sl1, strength=pair[0], w=pair[1]) for pair in pairs}
names = {f"strength {s:g}, w {w:g}": one for (s, w), one in settings.items()}
beta = phyvae.LinearBeta(0.05, 0.3, epochs=10)
swept = phyvae.sweep(grid, names, epochs=12, steps_per_epoch=20, beta=beta, model=started)

# %%
# The second latent separates the variants. The more strength, the flatter the map; the more slack,
# the less flat. All panels have one colour scale, and axes in nm.

maps = swept.maps
low, high = np.quantile(maps["strength 0, w 0.1"][1].numpy(), [0.005, 0.995])
nm, half = phantom.pixel_size[0], grid.step[0] / 2  # a pixel, and half a cell of the map
top, bottom = nm * (grid.centers[0, 0, 0] - half), nm * (grid.centers[-1, -1, 0] + half)
plt.rcParams.update({"font.size": 8, "axes.titlesize": 8})
fig, axes = plt.subplots(2, 4, figsize=(7, 4), layout="constrained", sharex=True, sharey=True)
for ax, (strength, w) in zip(axes.flat, pairs, strict=True):
    z = maps[f"strength {strength:g}, w {w:g}"]
    shown = ax.imshow(z[1].numpy(), vmin=low, vmax=high, extent=(top, bottom, bottom, top))
    ax.set_title(f"strength {strength:g}, w {w:g}\n$\\Psi$ = {float(sl1(z)):.2f}")
    ax.label_outer()
fig.supxlabel("x (nm)", fontsize=8)
fig.supylabel("y (nm)", fontsize=8)
fig.colorbar(shown, ax=axes, shrink=0.6, label="$z_2$")
fig.savefig("how_much_physics.png", dpi=150)
