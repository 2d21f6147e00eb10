"""
Spectra
=======

A piezoresponse loop at each point of a ferroelectric film: where does which kind of loop lie? Each
loop is noisy; physics lets neighbours help.
"""

# %%
# Two kinds of loops differ in their coercive bias. Each point has the opening of its loop.

import matplotlib.pyplot as plt
import numpy as np

import phyvae

rng = np.random.default_rng(0)
bias = np.linspace(-10, 10, 64)  # V
y, x = np.mgrid[:40, :40]
truth = (x + 3 * np.sin(y / 4) > 20).astype(int)
truth[np.hypot(y - 12, x - 33) < 5] = 0
coercive = np.where(truth, 3.0, 1.8)[..., None]  # V
opening = (np.tanh(bias + coercive) - np.tanh(bias - coercive)) / 2
opening = opening + 0.4 * rng.standard_normal(opening.shape)
scan = phyvae.Scan(
    opening.mean(-1), cube=opening, pixel_size=(25.0, 25.0), axis=bias, axis_unit="V"
)

# %%
# ``physics=None`` trains the plain autoencoder.

found = {
    "without physics": phyvae.find_domains(scan, physics=None, classes=2),
    "with physics": phyvae.find_domains(scan, strength=3.0, classes=2),
}
print(found["with physics"])

# %%
# The area of the decoded loop at each point; r is the correlation with the true area.

plt.rcParams.update({"font.size": 8, "axes.titlesize": 8})
fig, axes = plt.subplots(1, 3, figsize=(7, 2.4), layout="constrained", sharey=True)
step, side = bias[1] - bias[0], 40 * 25 / 1000
areas = {"truth": 4 * coercive[..., 0]}
for name, one in found.items():
    maps = one.model.latent_maps(one.grid)
    loops = one.model.decode(maps.flatten(1).T).numpy()
    low, high = one.grid.limits
    areas[name] = (2 * step * (low + (high - low) * loops).sum(-1)).reshape(truth.shape)
for ax, (name, area) in zip(axes, areas.items(), strict=True):
    shown = ax.imshow(area, extent=(0, side, side, 0), vmin=5, vmax=14)
    r = np.corrcoef(area.ravel(), areas["truth"].ravel())[0, 1]
    ax.set(title=name if name == "truth" else f"{name}\nr = {r:.2f}", xlabel="x (µm)")
axes[0].set_ylabel("y (µm)")
fig.colorbar(shown, ax=axes, label="loop area (arb. units · V)")
fig.savefig("spectra.png", dpi=150)
