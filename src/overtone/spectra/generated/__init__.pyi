from ._distance import by_size as by_size
from ._distance import by_step as by_step
from ._distance import distance as distance
from ._profiles import Resize as Resize
from ._profiles import profiles as profiles
