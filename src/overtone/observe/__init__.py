"""Watching a network while it trains, without touching it: the Probe, its schedule and its window."""

from overtone.observe.probe import Probe
from overtone.observe.schedule import EveryStep, LogSchedule, Schedule
from overtone.observe.window import Window

__all__ = ["EveryStep", "LogSchedule", "Probe", "Schedule", "Window"]
