"""Adapt bandwidth and learning rate while training runs, from rows measured on the way."""

from overtone.controller._controller import Controller
from overtone.controller._policy import ControlStep, Decision

__all__ = ["ControlStep", "Controller", "Decision"]
