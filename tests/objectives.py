"""Objectives with every loss of phyvae's, and a loss of a user's own."""

import torch

import phyvae
from phyvae import EdgeLoss, FourierLoss, Maximize, PhysicsObjective, TotalVariation


class Rough(phyvae.PhysicsLoss):
    """A user's loss with a setting, and a state: how often it was asked."""

    def __init__(self, power=2.0):
        super().__init__()
        self.power = power
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, maps, mask=None):
        if torch.is_grad_enabled():
            self.calls += 1
        step = phyvae.standardise(maps).diff(dim=-1).abs().pow(self.power)
        return step.mean() / (1 + 0.01 * self.calls)


OBJECTIVES = [
    PhysicsObjective(),
    PhysicsObjective(EdgeLoss(), w=0.25, channels=[1], strength=0.2),
    PhysicsObjective(EdgeLoss(0.5, 1.0, scaling="minmax", reduction="sum"), coupling="product"),
    PhysicsObjective(FourierLoss(0.5, scaling="none"), w=0.7, w_max=0.9),
    PhysicsObjective(TotalVariation("none"), w=0.0),
    PhysicsObjective(Maximize(EdgeLoss()), channels=(0,)),
    PhysicsObjective(EdgeLoss() + 0.5 * FourierLoss() + 2.0 * Maximize(EdgeLoss())),
    PhysicsObjective(EdgeLoss(), coupling="published"),
    PhysicsObjective(phyvae.InterfaceEnergy(1.2, 30.0, folds=4) + phyvae.DirichletEnergy()),
    PhysicsObjective(phyvae.GinzburgLandau(3.0, [(0, 0), (1, 0), (0, 1)], pixel_size=0.5)),
    PhysicsObjective(phyvae.GinzburgLandau() + phyvae.Curvature(2.0, pixel_size=1.5)),
    PhysicsObjective(phyvae.PeriodicOrder([(0, 0.25)], tolerance=0.2, punish="at")),
    PhysicsObjective(phyvae.PeriodicOrder(ring=0.1, pixel_size=0.5)),
    PhysicsObjective(phyvae.Sparsity("group") + phyvae.ClassOccupancy("cells", temperature=0.7)),
    PhysicsObjective(phyvae.AreaFractions((0.3, 0.7)) + phyvae.MapSymmetry("half-turn")),
    PhysicsObjective(phyvae.Decorrelation() + phyvae.Exclusiveness()),
    PhysicsObjective(phyvae.BoundCharge() + Maximize(phyvae.Vorticity())),
    PhysicsObjective(phyvae.Autocorrelation(2.0) + phyvae.Autocorrelation((0, -1), alike=False)),
    PhysicsObjective(phyvae.OnChannels(phyvae.Scheduled(EdgeLoss(), 0.5), [1])),
    PhysicsObjective(phyvae.Scheduled(EdgeLoss(), phyvae.LinearBeta(0.0, 1.0, epochs=4))),
]
