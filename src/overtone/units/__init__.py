"""Frequencies in cycles per unit of the coordinate, and conversion between the conventions of other libraries.

`sigma`, `omega_0` or a number of octaves: each library sets the frequencies of its networks by another parameter. The
functions here convert them to a common measure, the bandwidth: the frequency below which 90 % of the spectral power
lies. Constant features have no frequency and are excluded from that power.
"""

from overtone.units._bandwidth import gaussian_bandwidth as gaussian_bandwidth
from overtone.units._bandwidth import gaussian_sigma as gaussian_sigma
from overtone.units._bandwidth import log_linear_bandwidth as log_linear_bandwidth
from overtone.units._bandwidth import log_linear_scale as log_linear_scale
from overtone.units._bandwidth import octave_bandwidth as octave_bandwidth
from overtone.units._bandwidth import octave_count as octave_count
from overtone.units._bandwidth import sine_bandwidth as sine_bandwidth
from overtone.units._bandwidth import sine_omega as sine_omega
from overtone.units._conventions import CONVENTIONS as CONVENTIONS
from overtone.units._conventions import convert as convert
from overtone.units._frequency import cycles_to_radians as cycles_to_radians
from overtone.units._frequency import nyquist as nyquist
from overtone.units._frequency import radians_to_cycles as radians_to_cycles
from overtone.units._grids import lattice_range as lattice_range
