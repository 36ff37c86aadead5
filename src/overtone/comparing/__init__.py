"""Candidates side by side on one signal: networks, kernel regression, and interpolation without training."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
