"""NTK regression: the fit of an infinitely wide network, in closed form."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
