"""Scattered samples in 1 to 3 dimensions: spectra by non-uniform transforms."""

from overtone.spectra.points.box import Box as Box
from overtone.spectra.points.density import Density as Density
from overtone.spectra.points.density import Given as Given
from overtone.spectra.points.density import Neighbours as Neighbours
from overtone.spectra.points.density import Voronoi as Voronoi
from overtone.spectra.points.methods import LeastSquares as LeastSquares
from overtone.spectra.points.methods import Method as Method
from overtone.spectra.points.methods import Quadrature as Quadrature
from overtone.spectra.points.spectrum import PointsSpectrum as PointsSpectrum
from overtone.spectra.points.transform import PointsTransform as PointsTransform
from overtone.spectra.points.transform import points as points
