"""Linear read-outs: which frequencies of the targets each layer's activations hold."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
