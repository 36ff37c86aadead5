"""Everything that a call of a network may change, remembered and put back."""

from overtone.state.snapshot import Snapshot as Snapshot
