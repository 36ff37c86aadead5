"""Maps from coordinates to features: what lets a network reach frequencies that it would learn late or never.

Those with frequencies follow gamma(v) = [cos(2 pi B v), sin(2 pi B v)] with the rows of B in cycles per unit of the
coordinate that the encoding sees, which should lie in its `domain`; grids interpolate between trained values.
"""

from overtone.nn.encodings.basic import Basic as Basic
from overtone.nn.encodings.dense_grid import DenseGrid as DenseGrid
from overtone.nn.encodings.encoding import Encoding as Encoding
from overtone.nn.encodings.fourier import Fourier as Fourier
from overtone.nn.encodings.gaussian import Gaussian as Gaussian
from overtone.nn.encodings.hash_grid import HashGrid as HashGrid
from overtone.nn.encodings.identity import Identity as Identity
from overtone.nn.encodings.learned import Learned as Learned
from overtone.nn.encodings.multi_resolution import MultiResolution as MultiResolution
from overtone.nn.encodings.periodic import Periodic as Periodic
from overtone.nn.encodings.positional import Positional as Positional
from overtone.nn.encodings.power_law import PowerLaw as PowerLaw
from overtone.nn.encodings.triplane import Triplane as Triplane
from overtone.nn.encodings.window import Rescalable as Rescalable
from overtone.nn.encodings.window import Windowed as Windowed
from overtone.units import Interpolation as Interpolation
