"""Spectra of samples in many dimensions: tables, flattened pictures, embeddings."""

from overtone.spectra.clouds._directions import DirectionTransform as DirectionTransform
from overtone.spectra.clouds._gaussian_filter import GaussianFilter as GaussianFilter
from overtone.spectra.clouds._graph import GraphTransform as GraphTransform
from overtone.spectra.clouds._kernel_sums import KernelSums as KernelSums
