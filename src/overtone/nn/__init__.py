"""Encodings, activations, networks, layers and losses as plain PyTorch modules for any training loop."""

from overtone.nn import activations as activations
from overtone.nn import encodings as encodings
from overtone.nn import layers as layers
from overtone.nn import losses as losses
from overtone.nn._bandwidth import with_bandwidth as with_bandwidth
from overtone.nn._networks import MLP as MLP
from overtone.nn._networks import BandLimited as BandLimited
from overtone.nn._networks import CoordinateScaling as CoordinateScaling
from overtone.nn._networks import Field as Field
from overtone.nn._networks import FourierMFN as FourierMFN
from overtone.nn._networks import GaborMFN as GaborMFN
from overtone.nn._networks import MultiGrade as MultiGrade
from overtone.nn._networks import MultiScale as MultiScale
from overtone.nn._networks import OutputScaling as OutputScaling
from overtone.nn._networks import ResidualMLP as ResidualMLP
from overtone.nn._parameter_groups import parameter_groups as parameter_groups
