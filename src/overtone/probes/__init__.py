"""Watching a network while it trains, without touching it: the Probe, views, schedules, what is measured."""

from overtone.probes import views as views
from overtone.probes.log import ProbeWarning as ProbeWarning
from overtone.probes.observer import Observer as Observer
from overtone.probes.probe import Probe as Probe
from overtone.probes.processes import Alone as Alone
from overtone.probes.processes import Group as Group
from overtone.probes.processes import Processes as Processes
from overtone.probes.samples import Batch as Batch
from overtone.probes.samples import GridSamples as GridSamples
from overtone.probes.samples import Samples as Samples
from overtone.probes.schedule import EveryStep as EveryStep
from overtone.probes.schedule import LogSchedule as LogSchedule
from overtone.probes.schedule import Schedule as Schedule
from overtone.probes.spread import Spread as Spread
from overtone.probes.target import Classes as Classes
from overtone.probes.target import Target as Target
from overtone.probes.target import Values as Values
from overtone.probes.view import SampleView as SampleView
from overtone.probes.view import View as View
from overtone.probes.window import Window as Window
