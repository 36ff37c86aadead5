"""The lab: one self-contained page in which a network is trained and its spectrum watched. No torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
