"""The Barron constant: how many units a signal needs, in any number of dimensions."""

from overtone.theory.barron._bounds import (
    CosineSum,
    DrawnNetwork,
    ReluNetwork,
    StepNetwork,
    draw_relu,
    draw_steps,
    error_bound,
    relu_error_bound,
    required_relu_width,
    required_width,
)
from overtone.theory.barron._grid import BarronConstant, border_jump, constant_on_grid
from overtone.theory.barron._points import BorderWindow, PointsConstant, constant_at_points

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
