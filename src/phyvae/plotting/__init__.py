"""Figures of latent maps, domains, the manifold, patches, sites and training curves.

Each function returns ``(fig, axes)``, `axes` an array, and shows nothing. `width` is in inches:
3.4 fills one column of a journal, 7 two; text is 7 to 8 pt at either, and rcParams stay untouched.
"""

from .comparison import plot_comparison as plot_comparison
from .distribution import plot_distribution as plot_distribution
from .during_training import DrawMaps as DrawMaps
from .history import plot_history as plot_history
from .manifold import plot_manifold as plot_manifold
from .maps import plot_latent_maps as plot_latent_maps
from .maps import plot_segmentation as plot_segmentation
from .patches import plot_patches as plot_patches
from .patches import plot_sites as plot_sites
