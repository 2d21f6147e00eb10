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
kind = (x + 3 * np.sin(y / 4) > 20).astype(int)
kind[np.hypot(y - 12, x - 33) < 5] = 0
coercive = np.where(kind, 3.0, 1.8)[..., None]  # V
opening = (np.tanh(bias + coercive) - np.tanh(bias - coercive)) / 2
noisy = opening + 0.4 * rng.standard_normal(opening.shape)
scan = phyvae.Scan(noisy.mean(-1), cube=noisy, pixel_size=25.0, axis=bias, axis_unit="V")

# %%
# ``physics=None`` trains the plain autoencoder. The disc on the right is a region of its own, but
# of the kind on the left: two domains.

found = {
    "without physics": phyvae.find_domains(scan, physics=None, classes=2),
    "with physics": phyvae.find_domains(scan, strength=3.0, classes=2),
}
print(found["with physics"])

# %%
# The mean opening of the loop at each point, as measured and as decoded from the latents; r is the
# correlation with the truth.

means = {"truth": opening.mean(-1), "as measured": noisy.mean(-1)}
for name, one in found.items():
    low, high = one.grid.limits  # the decoder returns loops on a scale of 0 to 1
    latents = one.model.latent_maps(one.grid).flatten(1).T
    loops = low + (high - low) * one.model.decode(latents).numpy()
    means[name] = loops.mean(-1).reshape(kind.shape)
plt.rcParams.update({"font.size": 8, "axes.titlesize": 8})
fig, axes = plt.subplots(1, 4, figsize=(7, 2.1), layout="constrained", sharey=True)
for ax, (name, mean) in zip(axes, means.items(), strict=True):
    shown = ax.imshow(mean, extent=(0, 1, 1, 0), vmin=0.1, vmax=0.4)
    r = np.corrcoef(mean.ravel(), means["truth"].ravel())[0, 1]
    ax.set(title=name if name == "truth" else f"{name}\nr = {r:.2f}", xlabel="x (µm)")
axes[0].set_ylabel("y (µm)")
fig.colorbar(shown, ax=axes, label="mean opening\n(arb. units)")
fig.savefig("spectra.png", dpi=150)
