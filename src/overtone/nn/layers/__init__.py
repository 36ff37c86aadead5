"""Layers that filter frequencies: anti-aliased convolution and pooling, low-pass filters, high-pass attention."""

from overtone.nn.layers._antialiasing import BinomialPool as BinomialPool
from overtone.nn.layers._antialiasing import IdealPool as IdealPool
from overtone.nn.layers._antialiasing import LowPassConv as LowPassConv
from overtone.nn.layers._antialiasing import LowPassMaxPool as LowPassMaxPool
from overtone.nn.layers._attention import FeatureScale as FeatureScale
from overtone.nn.layers._attention import HighPassAttention as HighPassAttention
from overtone.nn.layers._spectral_filter import AdaptiveFilter as AdaptiveFilter
from overtone.nn.layers._spectral_filter import Border as Border
