"""
How much physics?
=================

Two numbers set the physics. ``strength`` is the force of the loss Ψ on a patch, in units of the
typical force of the reconstruction. ``w`` is the slack: physics fades once Ψ falls below it.
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
# the less flat. All panels have one colour scale.

maps = swept.maps
low, high = np.quantile(maps["strength 0, w 0.1"][1].numpy(), [0.005, 0.995])
fig, axes = plt.subplots(2, 4, figsize=(7, 3.9), layout="constrained")
for ax, (strength, w) in zip(axes.flat, pairs, strict=True):
    z = maps[f"strength {strength:g}, w {w:g}"]
    shown = ax.imshow(z[1].numpy(), vmin=low, vmax=high)
    psi = float(sl1(z))
    ax.set_title(f"strength {strength:g}, w {w:g}\n$\\Psi$ = {psi:.2f}", fontsize=8)
    ax.set(xticks=[], yticks=[])
bar = fig.colorbar(shown, ax=axes, shrink=0.6)
bar.set_label("$z_2$", fontsize=8)
bar.ax.tick_params(labelsize=7)
fig.savefig("how_much_physics.png", dpi=150)
