"""PyTorch's activations by name, and periodic or localised ones with their own initialisation."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
