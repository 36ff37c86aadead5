"""Linear read-outs: frequencies of the targets that are linearly decodable from each layer's activations."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
