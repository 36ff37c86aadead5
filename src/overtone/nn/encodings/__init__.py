"""Encodings of coordinates as features, so that a network can learn high frequencies.

Fourier encodings are gamma(v) = [cos(2 pi B v), sin(2 pi B v)] with the rows of B in cycles per unit of the encoding's
coordinate, which should lie in its `domain`; grids interpolate between trained values.
"""

from overtone.nn.encodings._base import Encoding as Encoding
from overtone.nn.encodings._base import Identity as Identity
from overtone.nn.encodings._fourier import Basic as Basic
from overtone.nn.encodings._fourier import FourierEncoding as FourierEncoding
from overtone.nn.encodings._fourier import Gaussian as Gaussian
from overtone.nn.encodings._fourier import Positional as Positional
from overtone.nn.encodings._fourier import PowerLaw as PowerLaw
from overtone.nn.encodings._grids import DenseGrid as DenseGrid
from overtone.nn.encodings._grids import HashGrid as HashGrid
from overtone.nn.encodings._learned import Learned as Learned
from overtone.nn.encodings._learned import Periodic as Periodic
from overtone.nn.encodings._triplane import Triplane as Triplane
from overtone.units._grids import Interpolation as Interpolation
