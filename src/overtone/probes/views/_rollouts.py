"""View of networks that predict their own next input: errors per scale and lead time in one record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from overtone._utils.seeding import draw_subset
from overtone.errors import InputError
from overtone.probes._inputs import Inputs, TensorInputs, as_tensor_inputs
from overtone.probes._targets import Values, target_tensor
from overtone.probes.views._fields import FieldLayout, FieldView, field_geometry

Advance = Callable[[Any, Tensor], Any]
"""Function from a network's arguments and its outputs at these to the arguments of the next step."""


def rollout(
    inputs: Any,
    targets: Any,
    *,
    advance: Advance | None = None,
    spacing: float | Sequence[float] | None = None,
    periodic: bool | Sequence[bool] = False,
    unit: str | None = None,
    coordinates: tuple[ArrayLike, ArrayLike] | None = None,
    channels: Sequence[str] | None = None,
    lead_times: Sequence[str] | None = None,
    samples: int | None = None,
    held_out: Tensor | None = None,
    name: str = "rollout",
) -> FieldView:
    """Measure a network that is applied to its own outputs, per scale and lead time.

    The network is called as often as the targets have lead times: at the inputs, then at what `advance` makes of its
    arguments and outputs. The record's channels are the lead times, of each variable in turn; otherwise the view is
    that of `views.fields`.

    Args:
        inputs: Arguments of the network at the start.
        targets: (N, L, C, *space) values at L lead times; the network returns (N, C, *space).
        advance: Function from arguments and outputs to the next arguments; the outputs themselves if None.
        spacing: See `views.fields`.
        periodic: See `views.fields`.
        unit: See `views.fields`.
        coordinates: See `views.fields`.
        channels: Names of the C variables; "0", "1", ... if None.
        lead_times: Names of the L lead times; "1", "2", ... if None.
        samples: Number of samples, drawn at random; all if None.
        held_out: (N,) bool, the samples excluded from the training.
        name: Name of the record.

    Raises:
        InputError: If the targets have no axis of lead times, or names do not fit.

    Example:
        >>> import torch
        >>> from overtone.probes import Probe, views
        >>> start = torch.randn(12, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        >>> truth = torch.stack([0.5 * start, 0.25 * start], dim=1)
        >>> with Probe(views.rollout(start, truth, periodic=True), torch.nn.Identity()) as probe:
        ...     recorded = probe(0)
        >>> record = probe.record
        >>> record.channel.values.tolist(), (record.residual_power / record.target_power)[0, 1].values.round(3).tolist()
        (['1', '2'], [1.0, 9.0])
    """
    batch = as_tensor_inputs(inputs)
    values = target_tensor(targets)
    if not 4 <= values.ndim <= 6:
        raise InputError(
            "targets of shape (samples, lead times, variables, *space), with 1 to 3 axes of space",
            f"shape {tuple(values.shape)}",
            "stack the lead times along axis 1",
            "targets",
        )
    total = len(values)
    leads, variables = values.shape[1:3]
    times = _checked(lead_times, leads, "lead times", "lead_times")
    names = _checked(channels, variables, "channel names", "channels")
    if samples is not None and samples < total:
        index = torch.from_numpy(draw_subset(total, samples, 0, "probe", "samples"))
        batch, values = batch.at(index), values[index]
        held_out = None if held_out is None else held_out[index]
    # Lead times of one variable stand together, as reports show them.
    joined = values.transpose(1, 2).flatten(1, 2)
    pairs = [(variable, time) for variable in names for time in times]
    labels = [time if variables == 1 else f"{variable} at {time}" for variable, time in pairs]
    target = Values(joined, labels, channel_axis=1)
    layout = FieldLayout(
        ["values"] * leads if variables == 1 and channels is None else [variable for variable, _ in pairs],
        [time for _, time in pairs],
    )
    geometry = field_geometry(target, spacing, periodic, unit, coordinates)
    steps = RolloutInputs(batch, leads, advance)
    return FieldView(steps, target, geometry, layout, total=total, held_out=held_out, name=name)


def _checked(names: Sequence[str] | None, count: int, what: str, argument: str) -> tuple[str, ...]:
    result = (
        tuple(str(i + (argument == "lead_times")) for i in range(count)) if names is None else tuple(names)
    )
    if len(result) != count:
        raise InputError(f"{count} {what}", f"{len(result)}", "name each once", argument)
    return result


@final
class RolloutInputs(Inputs):
    """Arguments at which a network begins and is then applied to its own outputs.

    Args:
        start: Arguments at the start.
        leads: How often the network is applied.
        advance: Function from arguments and outputs to the next arguments; the outputs themselves if None.
    """

    def __init__(self, start: TensorInputs, leads: int, advance: Advance | None = None) -> None:
        self._start, self._leads, self._advance = start, leads, advance

    @property
    def count(self) -> int:
        """Number of samples."""
        return self._start.count

    def slice(self, begin: int, end: int, device: torch.device, dtype: torch.dtype | None) -> Any:
        """Return the arguments of the first step for samples `begin` to `end`."""
        return self._start.slice(begin, end, device, dtype)

    def arrays(self) -> Any:
        """Return the arguments of the first step; predictions at them have the lead times of each variable in turn."""
        return self._start.arrays()

    def evaluate(self, network: nn.Module, call: Callable[[Any], Any], arguments: Any) -> Tensor:
        """Return (B, C * L, *space) outputs, the lead times of each variable in turn."""
        del network
        outputs = []
        for lead in range(self._leads):
            output = call(arguments)
            if not isinstance(output, Tensor) or output.ndim < 3:
                raise InputError(
                    "the network to return one tensor of shape (samples, variables, *space)",
                    f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__,
                    "pass outputs=, a function from the network's return value to that tensor",
                    "network",
                )
            outputs.append(output)
            if lead + 1 < self._leads:
                arguments = self._next(arguments, output)
        return torch.stack(outputs, dim=2).flatten(1, 2)

    def _next(self, arguments: Any, output: Tensor) -> Any:
        if self._advance is not None:
            return self._advance(arguments, output)
        if not isinstance(arguments, Tensor) or arguments.shape != output.shape:
            shape = (
                f"shape {tuple(arguments.shape[1:])}" if isinstance(arguments, Tensor) else "several inputs"
            )
            raise InputError(
                "outputs that are the next inputs",
                f"{shape} in and shape {tuple(output.shape[1:])} out",
                "pass advance=, a function from arguments and outputs to the next arguments",
                "advance",
            )
        return output
