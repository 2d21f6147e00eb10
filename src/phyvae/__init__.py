"""Physics-driven variational autoencoders for microscopy."""

from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import phantoms as phantoms
    from . import testing as testing
    from .alignment.result import Alignment as Alignment
    from .alignment.result import AlignmentWarning as AlignmentWarning
    from .alignment.start import align as align
    from .compute.processes import init_distributed as init_distributed
    from .compute.processes import rank as rank
    from .domains.cells import MeanCell as MeanCell
    from .domains.cells import mean_cells as mean_cells
    from .domains.counting import count_domains as count_domains
    from .domains.evidence import DomainEvidence as DomainEvidence
    from .domains.evidence import domain_evidence as domain_evidence
    from .domains.extents import domain_areas as domain_areas
    from .domains.extents import domain_table as domain_table
    from .domains.metrics import adjusted_rand_index as adjusted_rand_index
    from .domains.metrics import match_labels as match_labels
    from .domains.metrics import mean_iou as mean_iou
    from .domains.segmentation import segment as segment
    from .domains.wall_kinds import Wall as Wall
    from .domains.wall_kinds import walls_between as walls_between
    from .domains.walls import boundaries as boundaries
    from .domains.walls import boundary_length as boundary_length
    from .domains.walls import grains as grains
    from .domains.walls import wall_length_ratio as wall_length_ratio
    from .models import PatchModel as PatchModel
    from .models import Posterior as Posterior
    from .models import ShiftVAE as ShiftVAE
    from .models import adapt as adapt
    from .models import load_model as load_model
    from .models.untrained import quick_maps as quick_maps
    from .patches.finding import find_sites as find_sites
    from .patches.graph import SiteGraph as SiteGraph
    from .patches.grid import PatchGrid as PatchGrid
    from .patches.map_pixel import MapPixel as MapPixel
    from .patches.moire import Moire as Moire
    from .patches.moire import find_moire as find_moire
    from .physics import SL1 as SL1
    from .physics import SL2 as SL2
    from .physics import AreaFractions as AreaFractions
    from .physics import Autocorrelation as Autocorrelation
    from .physics import BoundCharge as BoundCharge
    from .physics import ClassOccupancy as ClassOccupancy
    from .physics import Curvature as Curvature
    from .physics import Decorrelation as Decorrelation
    from .physics import DirichletEnergy as DirichletEnergy
    from .physics import EdgeLoss as EdgeLoss
    from .physics import Exclusiveness as Exclusiveness
    from .physics import FourierLoss as FourierLoss
    from .physics import GinzburgLandau as GinzburgLandau
    from .physics import InterfaceEnergy as InterfaceEnergy
    from .physics import MapSymmetry as MapSymmetry
    from .physics import Maximize as Maximize
    from .physics import ModicaMortola as ModicaMortola
    from .physics import OnChannels as OnChannels
    from .physics import PeriodicOrder as PeriodicOrder
    from .physics import PhysicsLoss as PhysicsLoss
    from .physics import Relation as Relation
    from .physics import Scheduled as Scheduled
    from .physics import Sparsity as Sparsity
    from .physics import TotalVariation as TotalVariation
    from .physics import Vorticity as Vorticity
    from .physics import standardise as standardise
    from .pipeline.comparison import Sweep as Sweep
    from .pipeline.finding import find_domains as find_domains
    from .pipeline.loading import load_domains as load_domains
    from .pipeline.opinion import second_opinion as second_opinion
    from .pipeline.result import Domains as Domains
    from .pipeline.settings import Setting as Setting
    from .pipeline.suggesting import Suggestion as Suggestion
    from .pipeline.suggesting import suggest as suggest
    from .pipeline.sweeping import StoppedSettingWarning as StoppedSettingWarning
    from .pipeline.sweeping import SweepInterrupted as SweepInterrupted
    from .pipeline.sweeping import sweep as sweep
    from .plotting import DrawMaps as DrawMaps
    from .plotting import plot_comparison as plot_comparison
    from .plotting import plot_distribution as plot_distribution
    from .plotting import plot_history as plot_history
    from .plotting import plot_latent_maps as plot_latent_maps
    from .plotting import plot_manifold as plot_manifold
    from .plotting import plot_patches as plot_patches
    from .plotting import plot_segmentation as plot_segmentation
    from .plotting import plot_sites as plot_sites
    from .refinement.refined import Refined as Refined
    from .refinement.refining import refine as refine
    from .saving.sealed import CheckpointError as CheckpointError
    from .scans.cell import UnitCell as UnitCell
    from .scans.cell import unit_cell as unit_cell
    from .scans.intensities import IntensityRangeWarning as IntensityRangeWarning
    from .scans.reading import read as read
    from .scans.scan import Scan as Scan
    from .scans.spacing import lattice_spacing as lattice_spacing
    from .scans.surveying import Survey as Survey
    from .scans.surveying import survey as survey
    from .training.best_state import LostMapsWarning as LostMapsWarning
    from .training.collapse import CollapsedMapsWarning as CollapsedMapsWarning
    from .training.history import History as History
    from .training.loading import load_trainer as load_trainer
    from .training.loop import NonFiniteLossError as NonFiniteLossError
    from .training.objective import PhysicsObjective as PhysicsObjective
    from .training.parts import ObjectiveParts as ObjectiveParts
    from .training.schedules import LinearBeta as LinearBeta
    from .training.trainer import PhysicsTrainer as PhysicsTrainer

__version__ = _version("phyvae")

# Loaded at first use: pyroVED brings matplotlib along, scikit-learn takes a second.
_HOME = {
    "alignment.result": ["Alignment", "AlignmentWarning"],
    "alignment.start": ["align"],
    "saving.sealed": ["CheckpointError"],
    "training.loading": ["load_trainer"],
    "training.best_state": ["LostMapsWarning"],
    "training.collapse": ["CollapsedMapsWarning"],
    "domains.cells": ["MeanCell", "mean_cells"],
    "domains.counting": ["count_domains"],
    "domains.evidence": ["DomainEvidence", "domain_evidence"],
    "domains.extents": ["domain_areas", "domain_table"],
    "domains.wall_kinds": ["Wall", "walls_between"],
    "patches.graph": ["SiteGraph"],
    "training.history": ["History"],
    "scans.cell": ["UnitCell", "unit_cell"],
    "scans.intensities": ["IntensityRangeWarning"],
    "scans.reading": ["read"],
    "scans.scan": ["Scan"],
    "scans.spacing": ["lattice_spacing"],
    "scans.surveying": ["Survey", "survey"],
    "domains.metrics": ["adjusted_rand_index", "match_labels", "mean_iou"],
    "models": ["PatchModel", "Posterior", "ShiftVAE", "adapt", "load_model"],
    "models.untrained": ["quick_maps"],
    "training.objective": ["PhysicsObjective"],
    "training.parts": ["ObjectiveParts"],
    "compute.processes": ["init_distributed", "rank"],
    "patches.grid": ["PatchGrid"],
    "patches.map_pixel": ["MapPixel"],
    "pipeline.suggesting": ["Suggestion", "suggest"],
    "patches.moire": ["Moire", "find_moire"],
    "phantoms": [],
    "physics": [
        "SL1", "SL2", "AreaFractions", "Autocorrelation", "BoundCharge", "ClassOccupancy",
        "Curvature", "Decorrelation", "DirichletEnergy", "EdgeLoss", "Exclusiveness",
        "FourierLoss", "GinzburgLandau", "InterfaceEnergy", "MapSymmetry", "Maximize",
        "ModicaMortola", "OnChannels", "PeriodicOrder", "PhysicsLoss", "Relation", "Scheduled",
        "Sparsity", "TotalVariation", "Vorticity", "standardise",
    ],
    "plotting": [
        "DrawMaps", "plot_comparison", "plot_distribution", "plot_history", "plot_latent_maps",
        "plot_manifold", "plot_patches", "plot_segmentation", "plot_sites",
    ],
    "refinement.refined": ["Refined"],
    "refinement.refining": ["refine"],
    "training.schedules": ["LinearBeta"],
    "domains.segmentation": ["segment"],
    "patches.finding": ["find_sites"],
    "pipeline.comparison": ["Sweep"],
    "pipeline.finding": ["find_domains"],
    "pipeline.loading": ["load_domains"],
    "pipeline.opinion": ["second_opinion"],
    "pipeline.result": ["Domains"],
    "pipeline.settings": ["Setting"],
    "pipeline.sweeping": ["StoppedSettingWarning", "SweepInterrupted", "sweep"],
    "testing": [],
    "training.loop": ["NonFiniteLossError"],
    "training.trainer": ["PhysicsTrainer"],
    "domains.walls": ["boundaries", "boundary_length", "grains", "wall_length_ratio"],
}  # fmt: skip
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [*_MODULE, "phantoms", "testing"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return import_module(f".{name}", __name__)
    if name in _MODULE:
        return getattr(import_module(f".{_MODULE[name]}", __name__), name)
    raise AttributeError(f"module 'phyvae' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
