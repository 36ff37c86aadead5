"""Neural tangent kernels: of infinitely wide networks, of finite networks at their parameters, and their spectra."""

from overtone.theory.ntk._empirical.kernel import empirical_ntk
from overtone.theory.ntk._infinite.activations import DualActivation
from overtone.theory.ntk._infinite.feature_maps import FeatureMap
from overtone.theory.ntk._infinite.layers import DenseLayer
from overtone.theory.ntk._infinite.network import InfiniteNetwork
from overtone.theory.ntk._operators.lanczos import expm_multiply, top_eigenpairs
from overtone.theory.ntk._operators.network import choose_representation
from overtone.theory.ntk._psd import nearest_psd
from overtone.theory.ntk._spectrum import BandBasis, circulant_eigenvalues, sphere_eigenvalues

__all__ = [
    "BandBasis",
    "DenseLayer",
    "DualActivation",
    "FeatureMap",
    "InfiniteNetwork",
    "choose_representation",
    "circulant_eigenvalues",
    "empirical_ntk",
    "expm_multiply",
    "nearest_psd",
    "sphere_eigenvalues",
    "top_eigenpairs",
]
