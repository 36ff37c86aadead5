from ._loggers import TensorBoard as TensorBoard
from ._loggers import WandB as WandB
