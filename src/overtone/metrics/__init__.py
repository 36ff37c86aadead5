"""Metrics of predicted fields for training loops, in the manner of torchmetrics, which is not needed for them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
