"""
Your own physics in six lines
=============================

A physics loss is a class with one method: latent maps in, a number out that is zero where the maps
obey the physics. Here, order parameters vary smoothly: the mean squared step between neighbours.
"""

# %%
# The loss
# --------

import phyvae


class Smoothness(phyvae.PhysicsLoss):
    """Mean squared step between neighbouring patches."""

    def forward(self, maps, mask=None):
        z = phyvae.standardise(maps, mask)
        return z.diff(dim=-1).square().mean() + z.diff(dim=-2).square().mean()


# %%
# It must not care about the scale of a map, cost nothing on a flat one, have a correct gradient,
# and so on. These laws can be checked, and a broken one is explained in words. Ours does not look
# at the mask, so that law is left out.

phyvae.testing.check_physics_loss(Smoothness(), except_for=["masked-out cells do not matter"])

# %%
# It trains like any other
# ------------------------

phantom = phyvae.phantoms.bfo(shape=(300, 300), seed=0)
suggested = phyvae.suggest(phantom.image)
grid = suggested.grid()
truth = grid.sample(phantom.domains)


def started(seed: int) -> phyvae.ShiftVAE:
    """Return the model that every training starts from."""
    model = phyvae.ShiftVAE(grid.patch_shape, dx_prior=suggested.dx_prior, seed=seed)
    phyvae.align(model, grid, reach=suggested.reach, seed=seed)
    return model


losses = {
    "no physics": None,
    "Smoothness": Smoothness(),
    "SL1 + Smoothness": phyvae.EdgeLoss() + 0.5 * Smoothness(),
}
found = phyvae.sweep(
    grid,
    {name: phyvae.PhysicsObjective(physics, w=0.1) for name, physics in losses.items()},
    epochs=75,
    model=started,
)
print(found.table(truth=truth))

# %%
fig, axes = found.plot(truth=truth)
fig.savefig("your_own_physics.png", dpi=200)
