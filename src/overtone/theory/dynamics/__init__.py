"""Learning curves in time: the course of a training run, predicted from the network's tangent kernel."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
