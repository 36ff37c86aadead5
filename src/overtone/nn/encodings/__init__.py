"""Maps from coordinates to features: what lets a network reach frequencies that it would learn late or never.

All follow gamma(v) = [cos(2 pi B v), sin(2 pi B v)] with the rows of B in cycles per unit of the coordinate
that the encoding sees, which should lie in its `domain`.
"""

from overtone.nn.encodings.basic import Basic as Basic
from overtone.nn.encodings.encoding import Encoding as Encoding
from overtone.nn.encodings.fourier import Fourier as Fourier
from overtone.nn.encodings.gaussian import Gaussian as Gaussian
from overtone.nn.encodings.identity import Identity as Identity
from overtone.nn.encodings.positional import Positional as Positional
