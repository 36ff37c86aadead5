"""What a probe can look at: outputs on grids, points, clouds, sequences and paths; layers, sensitivity, samples."""

from overtone.probes.views.choose import choose as choose
from overtone.probes.views.cloud import directions as directions
from overtone.probes.views.cloud import filters as filters
from overtone.probes.views.cloud import graph as graph
from overtone.probes.views.generated import generated as generated
from overtone.probes.views.gradients import gradients as gradients
from overtone.probes.views.grid import GridView as GridView
from overtone.probes.views.layers import layers as layers
from overtone.probes.views.measured import Measure as Measure
from overtone.probes.views.measured import MeasuredView as MeasuredView
from overtone.probes.views.paths import paths as paths
from overtone.probes.views.points import points as points
from overtone.probes.views.sampled import SampledView as SampledView
from overtone.probes.views.sampled import Transform as Transform
from overtone.probes.views.sensitivity import sensitivity as sensitivity
from overtone.probes.views.sequence import sequence as sequence
