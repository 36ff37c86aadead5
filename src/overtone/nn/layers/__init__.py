"""Layers for grids and tokens that keep frequencies apart: low passes, moving cut-offs, high-pass attention."""

from overtone.nn.layers.adaptive import AdaptiveFilter as AdaptiveFilter
from overtone.nn.layers.attention import HighPassAttention as HighPassAttention
from overtone.nn.layers.binomial import BinomialPool as BinomialPool
from overtone.nn.layers.borders import Border as Border
from overtone.nn.layers.convolution import LowPassConv as LowPassConv
from overtone.nn.layers.feature_scale import FeatureScale as FeatureScale
from overtone.nn.layers.ideal import IdealPool as IdealPool
from overtone.nn.layers.max_pool import LowPassMaxPool as LowPassMaxPool
