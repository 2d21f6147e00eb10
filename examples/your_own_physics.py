"""
Your own physics
================

A physics loss is a class with one method: latent maps in, a number out that is small where the
maps obey the physics. Here, order parameters vary smoothly.
"""

# %%
# The loss, and a test of the laws that every loss should obey.

import phyvae


class Smoothness(phyvae.PhysicsLoss):
    """Mean squared step between neighbouring patches."""

    def forward(self, maps, mask=None):
        z = phyvae.standardise(maps, mask)
        return z.diff(dim=-1).square().mean() + z.diff(dim=-2).square().mean()


phyvae.testing.check_physics_loss(Smoothness())

# %%
# It trains like any other. All three trainings begin with the same model.

phantom = phyvae.phantoms.bfo(shape=(300, 300), dose=5, noise=0.25, seed=0)
suggested = phyvae.suggest(phantom.scan)
grid = suggested.grid()
truth = grid.sample(phantom.domains)


def started(seed: int) -> phyvae.ShiftVAE:
    """Return the model that every training starts from."""
    model = phyvae.ShiftVAE(grid.patch_shape, dx_prior=suggested.dx_prior, seed=seed)
    phyvae.align(model, grid, reach=suggested.reach, seed=seed)
    return model


losses = {"SL1": phyvae.EdgeLoss(), "Smoothness": Smoothness()}
objectives = {"no physics": None} | {
    name: phyvae.PhysicsObjective(loss, strength=3.0) for name, loss in losses.items()
}
beta = phyvae.LinearBeta(0.1, 0.3, epochs=10)
swept = phyvae.sweep(grid, objectives, epochs=20, steps_per_epoch=20, beta=beta, model=started)

# %%
# Both losses make the maps flatter. Smoothness punishes high steps more than low ones, so it takes
# out the noise and blurs the walls a little; SL1 leaves the walls sharp.

for name, maps in swept.maps.items():
    psi = ", ".join(f"Ψ of {other} {float(loss(maps)):.3f}" for other, loss in losses.items())
    print(f"{name}: {psi}")
fig, axes = swept.plot(truth=truth, label_names=phantom.names)
fig.savefig("your_own_physics.png", dpi=150)
