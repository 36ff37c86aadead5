"""Encodings of coordinates as features, so that a network can learn high frequencies.

Fourier encodings are gamma(v) = [cos(2 pi B v), sin(2 pi B v)] with the rows of B in cycles per unit of the encoding's
coordinate, which should lie in its `domain`; grids interpolate between trained values.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
