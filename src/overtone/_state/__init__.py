"""Everything that a call of a network may change, remembered and put back."""

from overtone._state._snapshot import Snapshot as Snapshot
