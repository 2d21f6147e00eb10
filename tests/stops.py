"""A physics loss that fails in the middle of training."""

import torch

import phyvae
from phyvae import EdgeLoss


class Stops(phyvae.PhysicsLoss):
    """Raise an error in some call; count the calls in a buffer."""

    def __init__(self, at=None, error=KeyboardInterrupt):
        super().__init__()
        self.at, self.error = at, error
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, maps, mask=None):
        if torch.is_grad_enabled():
            self.calls += 1
            if self.calls == self.at:
                self.at = None
                raise self.error("stopped")
        return EdgeLoss()(maps, mask)
