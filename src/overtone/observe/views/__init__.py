"""What a probe can look at: outputs on grids, points, clouds, sequences and paths; layers, sensitivity, samples."""

from overtone.observe.views.choose import choose as choose
from overtone.observe.views.cloud import directions as directions
from overtone.observe.views.cloud import filters as filters
from overtone.observe.views.cloud import graph as graph
from overtone.observe.views.generated import generated as generated
from overtone.observe.views.gradients import gradients as gradients
from overtone.observe.views.grid import GridView as GridView
from overtone.observe.views.layers import layers as layers
from overtone.observe.views.measured import Measure as Measure
from overtone.observe.views.measured import MeasuredView as MeasuredView
from overtone.observe.views.paths import paths as paths
from overtone.observe.views.points import points as points
from overtone.observe.views.sampled import SampledView as SampledView
from overtone.observe.views.sampled import Transform as Transform
from overtone.observe.views.sensitivity import sensitivity as sensitivity
from overtone.observe.views.sequence import sequence as sequence
