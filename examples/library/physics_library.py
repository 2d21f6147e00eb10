"""
The physics library
===================

What does each physics loss reward, and what does it punish? Every row shows small maps in the
order of Ψ, its value above each. Compare within a row, since each loss has a scale of its own.
"""

# %%
# Maps
# ----
#
# All maps are 48 x 48 cells. ``y`` and ``x`` count from the centre.

import matplotlib.pyplot as plt
import torch
from matplotlib.colors import to_rgb

import phyvae

y, x = torch.meshgrid(torch.arange(48.0) - 23.5, torch.arange(48.0) - 23.5, indexing="ij")
noise = torch.randn(48, 48, generator=torch.Generator().manual_seed(0))
r = torch.hypot(y, x)
wall = torch.sign(y - 0.3)
flat_wall, steep_wall = torch.tanh(x / 10), torch.sign(x)
discs = -torch.ones(48, 48)
for row, col, radius in ((-11, -11, 8), (12, 10, 9), (-12, 13, 6), (13, -13, 5)):
    discs[torch.hypot(y - row, x - col) < radius] = 1
wavy = torch.sign(y - 5 * torch.sin(x / 3.5))
points = torch.zeros(48, 48)
points[6::14, 8::15] = 1
stripes = torch.cos(2 * torch.pi * x / 8)
CLASS_COLOURS = torch.tensor([to_rgb(c) for c in ("#0072B2", "#E69F00", "#009E73")])

# %%
# Walls
# -----


def draw(rows: dict[str, tuple[phyvae.PhysicsLoss, list[torch.Tensor]]]) -> plt.Figure:
    """Draw a row of maps for each loss, in the order of Ψ."""
    count = max(len(maps) for _, maps in rows.values())
    size = (1.35 * count + 2.1, 1.52 * len(rows))
    fig, axes = plt.subplots(
        len(rows), count, figsize=size, squeeze=False, layout="constrained", dpi=100
    )
    for line, (name, (loss, maps)) in zip(axes, rows.items(), strict=True):
        for ax in line:
            ax.set_axis_off()
        costs = [float(loss(z if z.ndim == 3 else z[None])) for z in maps]
        order = sorted(range(len(maps)), key=costs.__getitem__)
        for ax, k in zip(line, order, strict=False):
            show(ax, maps[k])
            ax.set_title(value(costs[k]), fontsize=8, pad=3)
        line[0].text(
            -0.12, 0.5, name, transform=line[0].transAxes, ha="right", va="center", fontsize=8
        )
    return fig


def value(psi: float) -> str:
    """Return Ψ as it is written above a map."""
    return f"Ψ = {psi:.3g}" if psi == 0 or psi > 1e-3 else "Ψ < 0.001"


def show(ax: plt.Axes, z: torch.Tensor) -> None:
    """Draw a map, two maps as a vector field, or three as the shares of classes."""
    if z.ndim == 2:
        ax.imshow(z, cmap="cividis", interpolation="nearest")
        return
    if len(z) == 3:
        shares = torch.einsum("krc,kj->rcj", z, CLASS_COLOURS)
        ax.imshow(shares.clamp(0, 1).numpy(), interpolation="nearest")
        return
    ax.imshow(torch.atan2(-z[0], z[1]), cmap="twilight", vmin=-torch.pi, vmax=torch.pi, alpha=0.6)
    every = slice(4, None, 8)
    rows, cols = torch.meshgrid(torch.arange(48)[every], torch.arange(48)[every], indexing="ij")
    py, px = z[0, every, every], z[1, every, every]
    ax.quiver(cols, rows, px, py, angles="xy", scale=9, width=0.02, pivot="mid")


turned = torch.sign(y - x)
fig = draw(
    {
        "EdgeLoss (SL1)\nshort, sharp walls": (phyvae.EdgeLoss(), [wall, discs, wavy, noise]),
        "TotalVariation\nshort walls": (phyvae.TotalVariation(), [wall, discs, wavy, noise]),
        "InterfaceEnergy(3)\neasy along rows": (
            phyvae.InterfaceEnergy(3.0),
            [wall, turned, steep_wall, noise],
        ),
        "DirichletEnergy\ngradual change": (
            phyvae.DirichletEnergy(),
            [flat_wall, torch.tanh(x / 4), steep_wall, noise],
        ),
        "GinzburgLandau(3)\nvariants, soft walls": (
            phyvae.GinzburgLandau(width=3.0),
            [torch.tanh(x / 3), steep_wall, x, noise],
        ),
        "Curvature\nstraight walls": (phyvae.Curvature(), [wall, turned, discs, wavy]),
    }
)
fig.savefig("physics_library_walls.png", dpi=110)

# %%
# Order of the whole map
# ----------------------

half = torch.sign(x + 12)
fig = draw(
    {
        "FourierLoss(2) (SL2)\nslow variation": (
            phyvae.FourierLoss(radius=2.0),
            [torch.cos(x / 8), wall, discs, noise],
        ),
        "PeriodicOrder\none wave, period 8": (
            phyvae.PeriodicOrder([(0, 1 / 8)]),
            [stripes, stripes + noise, stripes.T, noise],
        ),
        "PeriodicOrder(ring)\nperiod 8, any direction": (
            phyvae.PeriodicOrder(ring=1 / 8),
            [stripes, torch.cos(2 * torch.pi * r / 8), noise, wall],
        ),
        "Autocorrelation(6)\nalike at 6 cells": (
            phyvae.Autocorrelation(6.0),
            [wall, discs, noise, torch.cos(2 * torch.pi * r / 12)],
        ),
        "MapSymmetry\nleft = right": (
            phyvae.MapSymmetry("left-right"),
            [wall, wavy.T.flip(0), noise, steep_wall],
        ),
        "AreaFractions\n1/4 and 3/4": (
            phyvae.AreaFractions((0.25, 0.75)),
            [half, discs, steep_wall, noise],
        ),
        "Sparsity\nfew cells stand out": (phyvae.Sparsity(), [points, discs, stripes, noise]),
    }
)
fig.savefig("physics_library_order.png", dpi=110)

# %%
# Classes, one channel each
# -------------------------
#
# The maps are the probabilities of three classes: blue, orange and green. Where a cell is
# undecided, the colours are mixed.

labels = (y > 0).long() + ((y > 0) & (x > 0)).long()
thirds = torch.clamp((x + 24) // 16, max=2).long()


def classes(labels: torch.Tensor) -> torch.Tensor:
    """Return one map a class, 1 where a cell belongs to it."""
    return torch.nn.functional.one_hot(labels, 3).permute(2, 0, 1).float()


def undecided(z: torch.Tensor, share: float) -> torch.Tensor:
    """Return the maps with a share of every cell given to all classes alike."""
    return (1 - share) * z + share / 3


one, few = classes(torch.zeros_like(labels)), classes(labels * (r < 9))
fig = draw(
    {
        'ClassOccupancy("map")\nfew classes': (
            phyvae.ClassOccupancy("map", scaling="probabilities"),
            [one, few, classes(labels), classes(thirds)],
        ),
        'ClassOccupancy("cells")\ndecided cells': (
            phyvae.ClassOccupancy("cells", scaling="probabilities"),
            [classes(thirds), *(undecided(classes(thirds), share) for share in (0.3, 0.6, 0.9))],
        ),
    }
)
fig.savefig("physics_library_classes.png", dpi=110)

# %%
# Two latents
# -----------
#
# Two latent maps as the arrow and colour of one vector, its components down the rows and along the
# columns.

zero = torch.zeros_like(x)
head_to_head = torch.stack([-wall, zero])
neutral = torch.stack([zero, wall])
vortex, hedgehog = torch.stack([x, -y]) / r, torch.stack([y, x]) / r
noisy = torch.randn(2, 48, 48, generator=torch.Generator().manual_seed(1))
fig = draw(
    {
        "BoundCharge\nno charged walls": (
            phyvae.BoundCharge(),
            [neutral, vortex, head_to_head, hedgehog],
        ),
        "Vorticity\nno turns": (phyvae.Vorticity(), [hedgehog, head_to_head, neutral, vortex]),
        "Relation\n$z_1^2 + z_2^2 = 1$": (
            phyvae.Relation(lambda z1, z2: z1**2 + z2**2 - 1, scaling="none"),
            [vortex, hedgehog, 0.5 * vortex, noisy],
        ),
    }
)
fig.savefig("physics_library_vectors.png", dpi=110)

# %%
# Relations between two maps, one in colour, the other by the white line between its levels.


def two(
    rows: dict[str, tuple[phyvae.PhysicsLoss, list[tuple[torch.Tensor, torch.Tensor]]]],
) -> plt.Figure:
    """Draw pairs of maps: the first in colour, the second by its contour."""
    fig, axes = plt.subplots(len(rows), 3, figsize=(6.2, 1.52 * len(rows)), layout="constrained")
    for line, (name, (loss, pairs)) in zip(axes, rows.items(), strict=True):
        for ax, (first, second) in zip(line, pairs, strict=True):
            ax.imshow(first, cmap="cividis", interpolation="nearest")
            ax.contour(second, levels=[0.0], colors="white", linewidths=1.5)
            ax.set_axis_off()
            ax.set_title(value(float(loss(torch.stack([first, second])))), fontsize=8, pad=3)
        line[0].text(
            -0.12, 0.5, name, transform=line[0].transAxes, ha="right", va="center", fontsize=8
        )
    return fig


left, right = (torch.where(torch.hypot(y, x - c) < 9, 1.0, -1.0) for c in (-11, 11))
middle = torch.where(torch.hypot(y, x + 3) < 9, 1.0, -1.0)
fig = two(
    {
        "Decorrelation\nuncorrelated maps": (
            phyvae.Decorrelation(),
            [(wall, steep_wall), (wall, turned), (wall, wall)],
        ),
        "Exclusiveness\nnever in one cell": (
            phyvae.Exclusiveness(),
            [(left, right), (left, middle), (left, left)],
        ),
    }
)
fig.savefig("physics_library_pairs.png", dpi=110)

# %%
# Together
# --------
#
# Losses add, take weights >= 0, see the channels they are meant for, and grow from epoch to epoch.
# All of this is one loss again, and the laws of losses can be checked for it.

physics = (
    phyvae.OnChannels(phyvae.GinzburgLandau(width=2.0), [0])
    + 0.2 * phyvae.Scheduled(phyvae.Curvature(), phyvae.LinearBeta(0.0, 1.0, epochs=20))
    + 0.1 * phyvae.Decorrelation()
)
objective = phyvae.PhysicsObjective(physics, w=0.1)
phyvae.testing.check_physics_loss(physics)
