"""Encodings, activations and networks: plain PyTorch modules that work in anyone's code."""

from overtone.nn import activations as activations
from overtone.nn import encodings as encodings
from overtone.nn import layers as layers
from overtone.nn import losses as losses
from overtone.nn.activations import Activation as Activation
from overtone.nn.activations import Sine as Sine
from overtone.nn.networks import MLP as MLP
from overtone.nn.networks import BandLimited as BandLimited
from overtone.nn.networks import Field as Field
from overtone.nn.networks import FourierMFN as FourierMFN
from overtone.nn.networks import Frame as Frame
from overtone.nn.networks import GaborMFN as GaborMFN
from overtone.nn.networks import MultiGrade as MultiGrade
from overtone.nn.networks import MultiScale as MultiScale
from overtone.nn.networks import Network as Network
from overtone.nn.networks import ResidualMLP as ResidualMLP
from overtone.nn.networks import Restore as Restore
from overtone.nn.pace import parameter_groups as parameter_groups
from overtone.nn.reach import bandwidth as bandwidth
from overtone.nn.reach import with_bandwidth as with_bandwidth
