"""Neural tangent kernels: of infinitely wide networks, of finite networks at their parameters, and their spectra."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
