"""Learning rates that differ between the parts of a network."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import nn

from overtone.units._frequency import positive


@runtime_checkable
class HasRateMultipliers(Protocol):
    """A module some of whose own parameters want a learning rate of their own."""

    pace: dict[str, float]
    """Factor of the learning rate by the parameter's name; 1 for those not named."""


def parameter_groups(module: nn.Module, lr: float) -> list[dict[str, Any]]:
    """The trained parameters as an optimizer's groups, one for each factor of the learning rate.

    Trained frequencies want a rate apart from that of weights, and grids one that is ten times as high; each module
    says so by its `pace`. Without such a module there is one group.

    Args:
        module: Any module.
        lr: The learning rate of what says nothing.

    Returns:
        Groups with "params", "lr" and "pace", the factor, that of 1 first; for instance
        `torch.optim.Adam(parameter_groups(network, 1e-3))`.

    Raises:
        InputError: If `lr` is not positive and finite.
    """
    rate = positive(lr, "lr")
    groups: dict[float, list[nn.Parameter]] = {1.0: []}
    visited: set[int] = set()
    for part in module.modules():
        local_rates = part.pace if isinstance(part, HasRateMultipliers) else {}
        for name, parameter in part.named_parameters(recurse=False):
            if parameter.requires_grad and id(parameter) not in visited:
                visited.add(id(parameter))
                groups.setdefault(local_rates.get(name, 1.0), []).append(parameter)
    return [{"params": ps, "lr": rate * pace, "pace": pace} for pace, ps in groups.items() if ps]
