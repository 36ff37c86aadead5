"""When to stop, without an oracle: rules that judge a finished record, or watch a run and end it.

Linear predictors have exact rules of their own: `theory.risk.sure_stop` and `theory.risk.gcv_stop`.
"""

from overtone.tune.stop.bands import BandErrors
from overtone.tune.stop.discrepancy import Discrepancy
from overtone.tune.stop.held_out import HeldOut
from overtone.tune.stop.joint import Joint
from overtone.tune.stop.keeper import Keeper
from overtone.tune.stop.least import Least
from overtone.tune.stop.rule import Judgement, Rule
from overtone.tune.stop.variance import WindowedVariance
from overtone.tune.stop.watch import Watch

__all__ = [
    "BandErrors",
    "Discrepancy",
    "HeldOut",
    "Joint",
    "Judgement",
    "Keeper",
    "Least",
    "Rule",
    "Watch",
    "WindowedVariance",
]
