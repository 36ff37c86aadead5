"""The Barron constant: how many units a signal needs, in any number of dimensions."""

from overtone.theory.barron._bounds import CosineSum, error_bound, relu_error_bound
from overtone.theory.barron._grid import constant_on_grid
from overtone.theory.barron._points import BorderWindow, constant_at_points

__all__ = [
    "BorderWindow",
    "CosineSum",
    "constant_at_points",
    "constant_on_grid",
    "error_bound",
    "relu_error_bound",
]
