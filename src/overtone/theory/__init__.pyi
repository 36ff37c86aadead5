from . import barron as barron
from . import dynamics as dynamics
from . import kernel_regression as kernel_regression
from . import ntk as ntk
from . import risk as risk
