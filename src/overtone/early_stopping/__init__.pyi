from ._best_weights import BestWeights as BestWeights
from ._monitor import StoppingRule as StoppingRule
from ._rules import BandErrors as BandErrors
from ._rules import DiscrepancyPrinciple as DiscrepancyPrinciple
from ._rules import HeldOut as HeldOut
from ._rules import HeldOutAndNoise as HeldOutAndNoise
from ._rules import WindowedVariance as WindowedVariance
