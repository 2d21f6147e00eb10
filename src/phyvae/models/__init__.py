"""Models of patches: `ShiftVAE`, pyroVED's models adapted, and the interface of your own."""

from ..compute.own_state import at_rest as at_rest
from .adapting import adapt as adapt
from .interface import PatchModel as PatchModel
from .interface import check_patches as check_patches
from .loading import load_model as load_model
from .posterior import Posterior as Posterior
from .refinable import PoseModel as PoseModel
from .refinable import Refinable as Refinable
from .refinable import as_refinable as as_refinable
from .shift import ShiftVAE as ShiftVAE
