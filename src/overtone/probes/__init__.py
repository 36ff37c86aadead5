"""Probes: watch a network while it trains, without changing it, and record what it has learned per frequency band."""

from overtone.probes._distributed import DistributedGroup as DistributedGroup
from overtone.probes._grid_measurement import Window as Window
from overtone.probes._observer import Observer as Observer
from overtone.probes._probe import Probe as Probe
from overtone.probes._run_writer import ProbeWarning as ProbeWarning
from overtone.probes._schedule import EveryN as EveryN
from overtone.probes._schedule import LogSchedule as LogSchedule
from overtone.probes._spread_sampling import Spread as Spread
from overtone.probes._targets import Values as Values
from overtone.probes._view import View as View
