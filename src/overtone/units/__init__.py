"""Frequencies in one unit, cycles per unit of the coordinate, and the way there from every other convention.

`sigma`, `omega_0`, a number of octaves: each library states the reach of its network in its own terms. Here
they are turned into the common measure, the bandwidth: the frequency below which 90 % of the spectral power
lies. The constant part of a feature set carries no frequency and is left out of that power.
"""

from overtone.units.bandwidth import BANDWIDTH_SHARE as BANDWIDTH_SHARE
from overtone.units.bandwidth import gaussian_bandwidth as gaussian_bandwidth
from overtone.units.bandwidth import gaussian_sigma as gaussian_sigma
from overtone.units.bandwidth import log_linear_bandwidth as log_linear_bandwidth
from overtone.units.bandwidth import log_linear_scale as log_linear_scale
from overtone.units.bandwidth import octave_bandwidth as octave_bandwidth
from overtone.units.bandwidth import octave_count as octave_count
from overtone.units.bandwidth import sine_bandwidth as sine_bandwidth
from overtone.units.bandwidth import sine_omega as sine_omega
from overtone.units.conventions import CONVENTIONS as CONVENTIONS
from overtone.units.conventions import Convention as Convention
from overtone.units.convert import convert as convert
from overtone.units.first_layer import finer_bandwidth as finer_bandwidth
from overtone.units.first_layer import gabor_bandwidth as gabor_bandwidth
from overtone.units.first_layer import gauss_bandwidth as gauss_bandwidth
from overtone.units.first_layer import hat_bandwidth as hat_bandwidth
from overtone.units.first_layer import multiquadratic_bandwidth as multiquadratic_bandwidth
from overtone.units.first_layer import quadratic_bandwidth as quadratic_bandwidth
from overtone.units.first_layer import sinc_bandwidth as sinc_bandwidth
from overtone.units.first_layer import wavelet_bandwidth as wavelet_bandwidth
from overtone.units.frequency import cycles_to_radians as cycles_to_radians
from overtone.units.frequency import nyquist as nyquist
from overtone.units.frequency import positive as positive
from overtone.units.frequency import radians_to_cycles as radians_to_cycles
from overtone.units.lattice import Interpolation as Interpolation
from overtone.units.lattice import lattice_bandwidth as lattice_bandwidth
from overtone.units.lattice import lattice_levels as lattice_levels
from overtone.units.lattice import lattice_range as lattice_range
from overtone.units.weighted import power_law_bandwidth as power_law_bandwidth
from overtone.units.weighted import rectified_bandwidth as rectified_bandwidth
from overtone.units.weighted import weighted_bandwidth as weighted_bandwidth
