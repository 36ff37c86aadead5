"""What a probe can look at: grids, scattered points, clouds in many dimensions, sequences."""

from overtone.observe.views.choose import choose as choose
from overtone.observe.views.cloud import directions as directions
from overtone.observe.views.cloud import filters as filters
from overtone.observe.views.cloud import graph as graph
from overtone.observe.views.grid import GridView as GridView
from overtone.observe.views.points import points as points
from overtone.observe.views.sampled import SampledView as SampledView
from overtone.observe.views.sampled import Transform as Transform
from overtone.observe.views.sequence import sequence as sequence
