"""Comparison of networks, kernel regression and interpolation without training, on one signal."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
