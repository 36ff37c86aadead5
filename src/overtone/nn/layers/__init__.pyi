from ._antialiasing import BinomialPool as BinomialPool
from ._antialiasing import IdealPool as IdealPool
from ._antialiasing import LowPassConv as LowPassConv
from ._antialiasing import LowPassMaxPool as LowPassMaxPool
from ._attention import FeatureScale as FeatureScale
from ._attention import HighPassAttention as HighPassAttention
from ._spectral_filter import AdaptiveFilter as AdaptiveFilter
from ._spectral_filter import Border as Border
