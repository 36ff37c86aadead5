from ._readout import read_out as read_out
from ._ridge import BlockFolds as BlockFolds
from ._ridge import FeatureBudget as FeatureBudget
