"""The Barron constant and the network width that a signal needs, in any number of dimensions."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
