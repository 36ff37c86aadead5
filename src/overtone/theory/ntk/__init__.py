"""Neural tangent kernels: infinitely wide networks in closed form, finite networks as they are, and their spectra."""

from overtone.theory.ntk.empirical.kernel import Kernel, finite
from overtone.theory.ntk.empirical.outputs import Outputs
from overtone.theory.ntk.empirical.sources import Route

__all__ = ["Kernel", "Outputs", "Route", "finite"]
