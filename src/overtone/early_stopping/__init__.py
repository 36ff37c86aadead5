"""When to stop, without an oracle: rules that judge a finished record, or watch a run and end it.

Linear predictors have exact rules of their own: `sure_stop` and `gcv_stop` of
`theory.risk.SmoothingPath`.
"""

from overtone.early_stopping._best_weights import BestWeights
from overtone.early_stopping._monitor import StoppingRule
from overtone.early_stopping._rules import (
    BandErrors,
    DiscrepancyPrinciple,
    HeldOut,
    HeldOutAndNoise,
    WindowedVariance,
)

__all__ = [
    "BandErrors",
    "BestWeights",
    "DiscrepancyPrinciple",
    "HeldOut",
    "HeldOutAndNoise",
    "StoppingRule",
    "WindowedVariance",
]
