"""What every rule for stopping offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from overtone.early_stopping.watch import Row, Watch
from overtone.errors import InputError

if TYPE_CHECKING:
    import xarray

PER_ROW = ("residual_power", "cross_power", "loss", "train_error", "held_out_error")


@final
@dataclass(frozen=True)
class Judgement:
    """What a rule makes of a finished run.

    Attributes:
        step: The step to take, knowing all rows; None if no row could be judged.
        ended: The step at which the rule would have ended the run; None if it would not have.
        kept: The step that it would have gone back to then; `step` if it would not have ended the run.
    """

    step: int | None
    ended: int | None
    kept: int | None


class Rule(ABC):
    """A rule for stopping."""

    @abstractmethod
    def watch(self) -> Watch:
        """A fresh watch for one run."""

    def judge(self, record: xarray.Dataset) -> Judgement:
        """Look at a finished run.

        Args:
            record: Of one run.

        Returns:
            The step to take, and what the rule would have done while the run went on.

        Raises:
            InputError: If the record is of several runs or lacks what the rule looks at.
        """
        watch, ended, kept = self.watch(), None, None
        for step, row in rows(record):
            if watch.update(step, row) and ended is None:
                ended, kept = step, watch.best_step
        return Judgement(watch.best_step, ended, watch.best_step if ended is None else kept)


def rows(record: xarray.Dataset) -> list[tuple[int, Row]]:
    """The rows of a record as a probe measured them.

    Args:
        record: Of one run.

    Raises:
        InputError: If it is of several runs.
    """
    extra = [d for d in record.dims if d not in ("step", "band", "channel")]
    if extra:
        raise InputError("the record of one run", f"several along {extra[0]}", "select one with isel", "stop")
    columns = {name: record[name].transpose("step", ...).values for name in PER_ROW if name in record}
    return [
        (int(step), {name: values[i] for name, values in columns.items()})
        for i, step in enumerate(record.step.values)
    ]
