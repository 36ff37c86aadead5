"""Frequencies in cycles per unit of the coordinate, and conversion between the conventions of other libraries.

`sigma`, `omega_0` or a number of octaves: each library sets the frequencies of its networks by another parameter. The
functions here convert them to a common measure, the bandwidth: the frequency below which 90 % of the spectral power
lies. Constant features have no frequency and are excluded from that power.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
