"""
A noisy film
============

What does physics add where noise hides the domains? A substrate and two variants of a film, at
four electrons per pixel on a bright column. Two models start alike; one trains with the edge loss
SL1.
"""

# %%
# Both models start from one that knows the lattice (`phyvae.align`).

import phyvae

phantom = phyvae.phantoms.bfo((400, 400), dose=4, noise=0.3, seed=0)
suggestion = phyvae.suggest(phantom.image)
grid = suggestion.grid()
truth = grid.sample(phantom.domains)


def started(seed: int) -> phyvae.ShiftVAE:
    """Return the model that both trainings start from."""
    model = phyvae.ShiftVAE(grid.patch_shape, dx_prior=suggestion.dx_prior, seed=seed)
    phyvae.align(model, grid, reach=suggestion.reach, seed=seed)
    return model


settings = {
    "without physics": None,
    "with physics": phyvae.PhysicsObjective(phyvae.EdgeLoss(), w=0.1, strength=3.0),
}
beta = phyvae.LinearBeta(0.05, 0.3, epochs=10)
swept = phyvae.sweep(grid, settings, epochs=20, steps_per_epoch=20, beta=beta, model=started)

# %%
# Here each patch is labelled by its own latents alone, so that what the maps hold is visible.
# (`phyvae.find_domains` also refines the maps and lets walls cost energy.)

rows = {}
for name, maps in swept.maps.items():
    labels = phyvae.match_labels(phyvae.segment(maps, 3, method="gmm"), truth)
    print(f"{name}: agreement {phyvae.adjusted_rand_index(labels, truth):.2f}")
    rows[name] = maps, labels
fig, axes = phyvae.plot_comparison(
    rows,
    truth=truth,
    grid=grid,
    label_names=phantom.names,
    pixel_size=0.396 / 12.6,
    unit="nm",
)
fig.savefig("noisy_film.png", dpi=150)
