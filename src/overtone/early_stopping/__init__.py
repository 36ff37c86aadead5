"""When to stop, without an oracle: rules that judge a finished record, or watch a run and end it.

Linear predictors have exact rules of their own: `theory.risk.sure_stop` and `theory.risk.gcv_stop`.
"""

from overtone.early_stopping.bands import BandErrors
from overtone.early_stopping.discrepancy import Discrepancy
from overtone.early_stopping.held_out import HeldOut
from overtone.early_stopping.joint import Joint
from overtone.early_stopping.keeper import Keeper
from overtone.early_stopping.least import Least
from overtone.early_stopping.rule import Judgement, Rule
from overtone.early_stopping.variance import WindowedVariance
from overtone.early_stopping.watch import Watch

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
