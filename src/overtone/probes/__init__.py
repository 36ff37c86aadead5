"""Watching a network while it trains, without touching it: the Probe, views, schedules, what is measured."""

from overtone.probes import views as views
from overtone.probes._distributed import DistributedGroup as Group
from overtone.probes._distributed import Processes as Processes
from overtone.probes._distributed import SingleProcess as Alone
from overtone.probes._grid_measurement import Window as Window
from overtone.probes._inputs import CoordinateInputs as CoordinateInputs
from overtone.probes._inputs import Inputs as Samples
from overtone.probes._inputs import TensorInputs as Batch
from overtone.probes._observer import Observer as Observer
from overtone.probes._probe import Probe as Probe
from overtone.probes._run_writer import ProbeWarning as ProbeWarning
from overtone.probes._schedule import EveryN as EveryN
from overtone.probes._schedule import LogSchedule as LogSchedule
from overtone.probes._schedule import Schedule as Schedule
from overtone.probes._spread_sampling import Spread as Spread
from overtone.probes._targets import Classes as Classes
from overtone.probes._targets import Target as Target
from overtone.probes._targets import Values as Values
from overtone.probes._view import OutputView as OutputView
from overtone.probes._view import View as View
