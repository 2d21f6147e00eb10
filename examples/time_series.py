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

nm = 0.396 / 12.6  # per px
heights = np.linspace(0.3, 0.7, 6)
phantoms = [
    phyvae.phantoms.bfo((252, 252), wall=wall, dose=150, noise=0.05, seed=0, noise_seed=frame)
    for frame, wall in enumerate(heights)
]
frames = [phyvae.Scan(phantom.image, pixel_size=(nm, nm)) for phantom in phantoms]
found = phyvae.find_domains(frames, classes=3)

# %%
# The share of the film that the upper variant covers gives the mean position of the wall. The
# names of the labels come from the first frame.

labels = np.stack([one.labels for one in found])
substrate = np.bincount(labels[0, :, :3].ravel()).argmax()
upper = np.bincount(labels[0, :4, -8:].ravel()).argmax()
film = (labels != substrate).mean(axis=0) > 0.5
share = np.array([(frame == upper)[film].mean() for frame in labels])
height = len(film) * found[0].grid.step[0] * nm  # of all patches
top = (252 * nm - height) / 2
position = top + share * height
true = (
    252
    * nm
    * np.array(
        [
            (one.domains == one.domains[5, -5]).sum() / (one.domains != one.domains[5, 5]).sum()
            for one in phantoms
        ]
    )
)
speed, true_speed = (np.polyfit(range(6), one, 1)[0] for one in (position, true))
print(f"the wall moves by {speed:.2f} nm per frame, in truth by {true_speed:.2f} nm")

# %%
plt.rcParams.update({"font.size": 8, "axes.titlesize": 8})
fig, axes = plt.subplots(1, 4, figsize=(7, 2.0), layout="constrained", width_ratios=(1, 1, 1, 1.2))
for ax, frame in zip(axes, (0, 2, 5), strict=False):
    grid, side = found[frame].grid, 252 * nm
    ax.imshow(frames[frame].image, cmap="gray", extent=(0, side, side, 0))
    y, x = np.moveaxis(grid.centers, -1, 0) * nm
    ax.contour(x, y, labels[frame] == upper, [0.5], colors="#E69F00")
    ax.set(title=f"frame {frame}", xlabel="x (nm)", yticks=[0, 4, 8] if frame == 0 else [])
axes[0].set_ylabel("y (nm)")
axes[3].plot(position, "o", color="#0072B2", label="found")
axes[3].plot(true, color="black", lw=1, label="true")
axes[3].set(xlabel="frame", ylabel="mean wall position (nm)")
axes[3].legend(frameon=False)
fig.savefig("time_series.png", dpi=150)
