"""Sweeps: many tasks on the cores of this machine or on a Ray cluster, resumed after an interruption."""

from overtone._sweeps.ray import Ray
from overtone._sweeps.store import Finished, Store, sweep
from overtone._sweeps.task import Task
from overtone._sweeps.workers import Local, Workers

__all__ = ["Finished", "Local", "Ray", "Store", "Task", "Workers", "sweep"]
