from ._bandwidth import recommend_bandwidth as recommend_bandwidth
from ._fresh import fresh as fresh
from ._grid_plan import plan as plan
from ._plan import Plan as Plan
from ._reasons import ReasonCode as ReasonCode
from ._run_size import Budget as Budget
from ._scan import measure_noise as measure_noise
from ._scan import scan as scan
