from ._controller import Controller as Controller
from ._policy import ControlStep as ControlStep
from ._policy import Decision as Decision
