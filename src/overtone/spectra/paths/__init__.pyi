from ._paths import Paths as Paths
from ._paths import PathUnit as PathUnit
from ._spectrum import path_spectrum as path_spectrum
