"""State of a network that a call may change: remembered before the call and restored after it."""

from overtone._state._evaluation_mode import evaluation_mode as evaluation_mode
from overtone._state._snapshot import StateSnapshot as StateSnapshot
