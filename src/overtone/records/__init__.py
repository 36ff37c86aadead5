"""Records of training runs: written during training, read by metrics, plots and reports. No torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
