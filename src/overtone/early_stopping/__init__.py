"""When to stop, without an oracle: rules that judge a finished record, or watch a run and end it.

Linear predictors have exact rules of their own: `sure_stop` and `gcv_stop` of
`theory.risk.SmoothingPath`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
