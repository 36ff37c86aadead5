"""Many runs: on this machine's cores or on a Ray cluster, resumed where they were left."""

from overtone._sweeps.local import Local
from overtone._sweeps.ray import Ray
from overtone._sweeps.store import Store
from overtone._sweeps.sweep import Finished, sweep
from overtone._sweeps.task import Task
from overtone._sweeps.workers import Workers

__all__ = ["Finished", "Local", "Ray", "Store", "Task", "Workers", "sweep"]
