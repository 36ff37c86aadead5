"""Theory: predictions made before training, from the neural tangent kernel, noise and risk, and the Barron constant."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
