"""Clouds of samples in many dimensions: tables, flattened pictures, embeddings."""

from overtone.spectra.clouds.directions import DirectionTransform as DirectionTransform
from overtone.spectra.clouds.directions import principal_directions as principal_directions
from overtone.spectra.clouds.directions import relative_error as relative_error
from overtone.spectra.clouds.filtering import FilterErrors as FilterErrors
from overtone.spectra.clouds.filtering import GaussianFilter as GaussianFilter
from overtone.spectra.clouds.filtering import Split as Split
from overtone.spectra.clouds.filtering import widths as widths
from overtone.spectra.clouds.graph import GraphTransform as GraphTransform
from overtone.spectra.clouds.sums import Exact as Exact
from overtone.spectra.clouds.sums import KernelSums as KernelSums
from overtone.spectra.clouds.sums import NearFar as NearFar
