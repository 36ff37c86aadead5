"""Networks from features to values, and the Field that puts one into physical coordinates and values."""

from overtone.nn.networks.field import Field as Field
from overtone.nn.networks.frame import Frame as Frame
from overtone.nn.networks.mlp import MLP as MLP
from overtone.nn.networks.network import Network as Network
from overtone.nn.networks.residual import ResidualMLP as ResidualMLP
from overtone.nn.networks.restore import Restore as Restore
