"""What can be had without a network: interpolation and smoothing of the samples of a grid."""

from overtone.baselines._baseline import Baseline, Mean, validation_split
from overtone.baselines._interpolation import Cubic, Linear, SampleLattice, find_sample_lattice
from overtone.baselines._smoothing import BandLimitedFit, Smoothing

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
