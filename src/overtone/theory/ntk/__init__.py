"""Neural tangent kernels: of infinitely wide networks, of finite networks as they are, and their spectra."""

from overtone.theory.ntk import infinite
from overtone.theory.ntk.empirical.kernel import Kernel, finite
from overtone.theory.ntk.empirical.outputs import Outputs
from overtone.theory.ntk.empirical.positive import Positive, positive
from overtone.theory.ntk.empirical.sources import Route
from overtone.theory.ntk.operators.decay import decay
from overtone.theory.ntk.operators.factored import Factored
from overtone.theory.ntk.operators.implicit import Implicit
from overtone.theory.ntk.operators.lags import lags
from overtone.theory.ntk.operators.leading import Eigenpairs, leading
from overtone.theory.ntk.operators.operator import Matrix, Operator
from overtone.theory.ntk.operators.represent import Form, Representation, represent
from overtone.theory.ntk.operators.sketch import Sketch
from overtone.theory.ntk.operators.toeplitz import Toeplitz
from overtone.theory.ntk.spectrum.bands import BandBasis
from overtone.theory.ntk.spectrum.periodic import periodic
from overtone.theory.ntk.spectrum.sphere import sphere

__all__ = [
    "BandBasis",
    "Eigenpairs",
    "Factored",
    "Form",
    "Implicit",
    "Kernel",
    "Matrix",
    "Operator",
    "Outputs",
    "Positive",
    "Representation",
    "Route",
    "Sketch",
    "Toeplitz",
    "decay",
    "finite",
    "infinite",
    "lags",
    "leading",
    "periodic",
    "positive",
    "represent",
    "sphere",
]
