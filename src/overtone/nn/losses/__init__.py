"""Losses that weigh the frequencies of the residual on a grid, at the scale of the mean square."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
