"""Clouds of samples in many dimensions: tables, flattened pictures, embeddings."""

from overtone.spectra.clouds._directions import DirectionTransform as DirectionTransform
from overtone.spectra.clouds._directions import principal_directions as principal_directions
from overtone.spectra.clouds._directions import relative_error as relative_error
from overtone.spectra.clouds._gaussian_filter import FilterErrors as FilterErrors
from overtone.spectra.clouds._gaussian_filter import GaussianFilter as GaussianFilter
from overtone.spectra.clouds._gaussian_filter import Split as Split
from overtone.spectra.clouds._gaussian_filter import widths as widths
from overtone.spectra.clouds._graph import GraphTransform as GraphTransform
from overtone.spectra.clouds._kernel_sums import Exact as Exact
from overtone.spectra.clouds._kernel_sums import KernelSums as KernelSums
from overtone.spectra.clouds._kernel_sums import NearFar as NearFar
