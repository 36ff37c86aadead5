"""overtone: the spectrum analyzer for neural networks.

Which frequencies has a network learned, at which step, which will it never reach, and where did it begin to learn
noise. Everything here is loaded on first use: `import overtone` alone loads neither torch nor a plotting library.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
