"""Many runs: on this machine's cores or on a Ray cluster, resumed where they were left."""

from overtone.sweeps.local import Local
from overtone.sweeps.ray import Ray
from overtone.sweeps.store import Store
from overtone.sweeps.sweep import Finished, sweep
from overtone.sweeps.task import Task
from overtone.sweeps.workers import Workers

__all__ = ["Finished", "Local", "Ray", "Store", "Task", "Workers", "sweep"]
