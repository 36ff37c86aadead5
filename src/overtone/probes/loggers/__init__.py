"""Experiment trackers that receive every row of a probe: scalars and a picture of the learning order."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
