"""
Time series
===========

One variant of a film grows at the cost of the other, from frame to frame. How fast does the wall
move? One model is trained on all frames, so a label is the same domain in each of them.
"""

# %%
# Six frames of a phantom: the wall moves, the noise is new, all else stays.

import matplotlib.pyplot as plt
import numpy as np

import phyvae

phantoms = [
    phyvae.phantoms.bfo((252, 252), wall=wall, dose=150, noise=0.05, seed=0, noise_seed=frame)
    for frame, wall in enumerate(np.linspace(0.3, 0.7, 6))
]
frames = [phantom.scan for phantom in phantoms]
found = phyvae.find_domains(frames, classes=3)
nm = frames[0].pixel_size[0]  # per px

# %%
# The upper variant fills the film from its upper edge to the wall, so its share of the film is the
# mean position of the wall.


def position(domains):
    """Return the mean position of the wall, nm, from the domain of each pixel; -1 is none."""
    rows, cols = (domains >= 0).any(axis=1), (domains >= 0).any(axis=0)
    inside = domains[rows][:, cols]
    substrate, upper = inside[0, 0], inside[0, -1]
    share = (inside == upper).sum() / (inside != substrate).sum()
    return nm * (rows.argmax() + share * rows.sum())


images = [one.labels_image() for one in found]
positions = [position(image) for image in images]
true = [
    position(np.where(image < 0, -1, phantom.domains))  # of the same pixels
    for image, phantom in zip(images, phantoms, strict=True)
]
speed, true_speed = (np.polyfit(range(6), one, 1)[0] for one in (positions, true))
print(f"the wall moves by {speed:.2f} nm per frame, in truth by {true_speed:.2f} nm")

# %%
# Patches are whole steps apart, so a position may be off by half a step: the bars.

step, side = found[0].grid.step[0] * nm, 252 * nm
plt.rcParams.update({"font.size": 8, "axes.titlesize": 8})
fig, axes = plt.subplots(1, 4, figsize=(7, 2.3), layout="constrained", width_ratios=(1, 1, 1, 1.3))
for ax, frame in zip(axes, (0, 2, 5), strict=False):
    upper = images[frame] == images[frame][30, -30]
    ax.imshow(frames[frame].image, cmap="gray", extent=(0, side, side, 0))
    ax.contour(upper, [0.5], colors="#E69F00", extent=(0, side, 0, side))
    ax.set(title=f"frame {frame}", xlabel="x (nm)", yticks=[0, 2, 4, 6] if frame == 0 else [])
axes[0].set_ylabel("y (nm)")
axes[3].errorbar(range(6), positions, step / 2, fmt="o", ms=4, color="#0072B2", label="found")
axes[3].plot(true, color="black", lw=1, label="true")
axes[3].set(xlabel="frame", ylabel="wall (nm)", title="mean position of the wall")
axes[3].legend(frameon=False)
fig.savefig("time_series.png", dpi=150)
