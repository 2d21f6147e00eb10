"""Atomically resolved images whose domains are known exactly.

One recipe makes all of them. The specimen is a function of position: which domain lies there, how
bright it is. A scan reads that function pixel by pixel; drift and line jitter say where each pixel
really looked. Image and truth are read at the same positions, so that the truth stays exact.
"""

from ._scan import Phantom as Phantom
from .stem import bfo as bfo
from .stem import nio_lsmo as nio_lsmo
from .stem import perovskite as perovskite
from .stm import graphene as graphene

__all__ = ["Phantom", "bfo", "graphene", "nio_lsmo", "perovskite"]
