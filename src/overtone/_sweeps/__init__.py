"""Many runs: on this machine's cores or on a Ray cluster, resumed where they were left."""

from overtone._sweeps.ray import Ray
from overtone._sweeps.store import Finished, Store, sweep
from overtone._sweeps.task import Task
from overtone._sweeps.workers import Local, Workers

__all__ = ["Finished", "Local", "Ray", "Store", "Task", "Workers", "sweep"]
