"""Networks from features to values, and the Field that puts one into physical coordinates and values."""

from overtone.nn.networks.band_limited import BandLimited as BandLimited
from overtone.nn.networks.body import Body as Body
from overtone.nn.networks.field import Field as Field
from overtone.nn.networks.frame import Frame as Frame
from overtone.nn.networks.gabor import GaborMFN as GaborMFN
from overtone.nn.networks.mlp import MLP as MLP
from overtone.nn.networks.multi_grade import MultiGrade as MultiGrade
from overtone.nn.networks.multi_scale import MultiScale as MultiScale
from overtone.nn.networks.multiplicative import FourierMFN as FourierMFN
from overtone.nn.networks.network import Network as Network
from overtone.nn.networks.residual import ResidualMLP as ResidualMLP
from overtone.nn.networks.restore import Restore as Restore
