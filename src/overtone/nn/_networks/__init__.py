"""Networks from features to values, and fields in physical coordinates and values."""

from overtone.nn._networks.bacon import BandLimited as BandLimited
from overtone.nn._networks.field import CoordinateScaling as CoordinateScaling
from overtone.nn._networks.field import Field as Field
from overtone.nn._networks.field import OutputScaling as OutputScaling
from overtone.nn._networks.mfn import FourierMFN as FourierMFN
from overtone.nn._networks.mfn import GaborMFN as GaborMFN
from overtone.nn._networks.mlp import MLP as MLP
from overtone.nn._networks.mlp import Network as Network
from overtone.nn._networks.mlp import NetworkBase as NetworkBase
from overtone.nn._networks.mlp import ResidualMLP as ResidualMLP
from overtone.nn._networks.multiscale import MultiGrade as MultiGrade
from overtone.nn._networks.multiscale import MultiScale as MultiScale
