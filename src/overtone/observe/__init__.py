"""Watching a network while it trains, without touching it: the Probe, views, schedules, what is measured."""

from overtone.observe import views as views
from overtone.observe.log import ProbeWarning as ProbeWarning
from overtone.observe.observer import Observer as Observer
from overtone.observe.probe import Probe as Probe
from overtone.observe.processes import Alone as Alone
from overtone.observe.processes import Group as Group
from overtone.observe.processes import Processes as Processes
from overtone.observe.samples import Batch as Batch
from overtone.observe.samples import GridSamples as GridSamples
from overtone.observe.samples import Samples as Samples
from overtone.observe.schedule import EveryStep as EveryStep
from overtone.observe.schedule import LogSchedule as LogSchedule
from overtone.observe.schedule import Schedule as Schedule
from overtone.observe.spread import Spread as Spread
from overtone.observe.target import Classes as Classes
from overtone.observe.target import Target as Target
from overtone.observe.target import Values as Values
from overtone.observe.view import SampleView as SampleView
from overtone.observe.view import View as View
from overtone.observe.window import Window as Window
