from ._directions import DirectionTransform as DirectionTransform
from ._gaussian_filter import GaussianFilter as GaussianFilter
from ._graph import GraphTransform as GraphTransform
from ._kernel_sums import KernelSums as KernelSums
