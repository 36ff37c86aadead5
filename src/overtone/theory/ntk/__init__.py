"""Neural tangent kernels: of infinitely wide networks, of finite networks as they are, and their spectra."""

from overtone.theory.ntk import _infinite as infinite
from overtone.theory.ntk._empirical.inner_products import OutputLayout
from overtone.theory.ntk._empirical.kernel import EmpiricalKernel, empirical_ntk
from overtone.theory.ntk._empirical.sources import JacobianMethod
from overtone.theory.ntk._operators.base import KernelOperator, MatrixOperator
from overtone.theory.ntk._operators.lanczos import Eigenpairs, expm_multiply, top_eigenpairs
from overtone.theory.ntk._operators.network import (
    FactoredOperator,
    JacobianOperator,
    KernelForm,
    Representation,
    SketchedOperator,
    choose_representation,
)
from overtone.theory.ntk._operators.stationary import ToeplitzOperator, stationary_kernel_lags
from overtone.theory.ntk._psd import NearestPSD, nearest_psd
from overtone.theory.ntk._spectrum import BandBasis, circulant_eigenvalues, sphere_eigenvalues

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
