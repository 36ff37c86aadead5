"""The Barron constant: how many units a signal needs, in any number of dimensions."""

from overtone.theory.barron._bounds import (
    CosineSum,
    draw_relu,
    draw_steps,
    error_bound,
    relu_error_bound,
    required_relu_width,
    required_width,
)
from overtone.theory.barron._grid import border_jump, constant_on_grid
from overtone.theory.barron._points import BorderWindow, constant_at_points

__all__ = [
    "BorderWindow",
    "CosineSum",
    "border_jump",
    "constant_at_points",
    "constant_on_grid",
    "draw_relu",
    "draw_steps",
    "error_bound",
    "relu_error_bound",
    "required_relu_width",
    "required_width",
]
