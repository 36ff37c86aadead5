from ._baseline import Baseline as Baseline
from ._baseline import Mean as Mean
from ._interpolation import Cubic as Cubic
from ._interpolation import Linear as Linear
from ._reconstruction import Reconstruction as Reconstruction
from ._reconstruction import reconstruct as reconstruct
from ._smoothing import BandLimitedFit as BandLimitedFit
from ._smoothing import Smoothing as Smoothing
