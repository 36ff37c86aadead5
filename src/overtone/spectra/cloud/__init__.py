"""Clouds of samples in many dimensions: tables, flattened pictures, embeddings."""

from overtone.spectra.cloud.directions import DirectionTransform as DirectionTransform
from overtone.spectra.cloud.directions import principal_directions as principal_directions
from overtone.spectra.cloud.directions import relative_error as relative_error
from overtone.spectra.cloud.filtering import FilterErrors as FilterErrors
from overtone.spectra.cloud.filtering import GaussianFilter as GaussianFilter
from overtone.spectra.cloud.filtering import Split as Split
from overtone.spectra.cloud.filtering import widths as widths
from overtone.spectra.cloud.graph import GraphTransform as GraphTransform
from overtone.spectra.cloud.sums import Exact as Exact
from overtone.spectra.cloud.sums import KernelSums as KernelSums
from overtone.spectra.cloud.sums import NearFar as NearFar
