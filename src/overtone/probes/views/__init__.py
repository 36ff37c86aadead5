"""Views of a probe: spectra of outputs on grids, points, clouds, sequences and paths; layers, sensitivity, samples."""

from overtone.probes._view import MetricView as MetricView
from overtone.probes._view import TransformView as TransformView
from overtone.probes.views._choose import choose as choose
from overtone.probes.views._clouds import directions as directions
from overtone.probes.views._clouds import filters as filters
from overtone.probes.views._clouds import graph as graph
from overtone.probes.views._coordinates import points as points
from overtone.probes.views._coordinates import sequence as sequence
from overtone.probes.views._generated import generated as generated
from overtone.probes.views._grid import GridView as GridView
from overtone.probes.views._layers import layers as layers
from overtone.probes.views._paths import paths as paths
from overtone.probes.views._sensitivity import gradients as gradients
from overtone.probes.views._sensitivity import sensitivity as sensitivity
