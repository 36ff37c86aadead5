"""Layers that filter frequencies: anti-aliased convolution and pooling, low-pass filters, high-pass attention."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
