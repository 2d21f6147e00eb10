"""The models: pyroVED's, without their global state. Nothing else imports Pyro."""

from .adapting import adapt as adapt
from .interface import PatchModel as PatchModel
from .interface import at_rest as at_rest
from .interface import check_patches as check_patches
from .loading import load_model as load_model
from .posterior import Posterior as Posterior
from .shift import ShiftVAE as ShiftVAE
