"""What can be had without a network: interpolation and smoothing of the samples of a grid."""

from overtone.baselines.band_limited import BandLimited
from overtone.baselines.baseline import Baseline
from overtone.baselines.cubic import Cubic
from overtone.baselines.lattice import Lattice, lattice_of
from overtone.baselines.linear import Linear
from overtone.baselines.mean import Mean
from overtone.baselines.smoothing import Smoothing
from overtone.baselines.validation import set_aside

__all__ = [
    "BandLimited",
    "Baseline",
    "Cubic",
    "Lattice",
    "Linear",
    "Mean",
    "Smoothing",
    "lattice_of",
    "set_aside",
]
