"""Simulated images of atomic resolution with their ground truth.

All are made in the same way. The specimen is a function of position, with a domain and a
brightness. A scan samples that function pixel by pixel, at positions that drift and line jitter
have displaced. Image and labels are sampled at the same positions, so the labels are exact.
"""

from .flaws import Flaws as Flaws
from .phantom import Phantom as Phantom
from .stem import bfo as bfo
from .stem import nio_lsmo as nio_lsmo
from .stem import perovskite as perovskite
from .stm import graphene as graphene

__all__ = ["Flaws", "Phantom", "bfo", "graphene", "nio_lsmo", "perovskite"]
