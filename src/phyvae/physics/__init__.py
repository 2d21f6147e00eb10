"""Physics losses: what a latent map pays for."""

from .base import Maximize as Maximize
from .base import PhysicsLoss as PhysicsLoss
from .base import standardise as standardise
from .base import standardise_values as standardise_values
from .edges import SL1 as SL1
from .edges import EdgeLoss as EdgeLoss
from .edges import bilateral as bilateral
from .edges import scharr as scharr
from .fourier import SL2 as SL2
from .fourier import FourierLoss as FourierLoss
from .variation import TotalVariation as TotalVariation
