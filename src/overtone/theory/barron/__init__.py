"""The Barron constant: how many units a signal needs, in any number of dimensions."""

from overtone.theory.barron.bounds import advised_width, bound, relu_bound, relu_width
from overtone.theory.barron.cosines import CosineSum
from overtone.theory.barron.grid import BarronConstant, border_jump, grid
from overtone.theory.barron.maurey import DrawnNetwork, ReluNetwork, StepNetwork, draw_relu, draw_steps
from overtone.theory.barron.scattered import ScatteredConstant, Window, scattered

__all__ = [
    "BarronConstant",
    "CosineSum",
    "DrawnNetwork",
    "ReluNetwork",
    "ScatteredConstant",
    "StepNetwork",
    "Window",
    "advised_width",
    "border_jump",
    "bound",
    "draw_relu",
    "draw_steps",
    "grid",
    "relu_bound",
    "relu_width",
    "scattered",
]
