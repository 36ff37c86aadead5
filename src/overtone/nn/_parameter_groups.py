"""Learning rates that differ between the parts of a network."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import nn

from overtone.units._frequency import positive


@runtime_checkable
class HasRateMultipliers(Protocol):
    """A module that sets the learning rate of some of its parameters relative to the base learning rate."""

    lr_multipliers: dict[str, float]
    """Factor of the learning rate by the parameter's name; 1 for parameters that are not named."""


def parameter_groups(module: nn.Module, lr: float) -> list[dict[str, Any]]:
    """Return the trainable parameters as an optimizer's groups, one for each factor of the learning rate.

    Grids train best with ten times the learning rate of the weights, and trained frequencies have a factor of their
    own; each module states it in its `lr_multipliers`. Without such a module there is one group.

    Args:
        module: Any module.
        lr: Base learning rate, that of all parameters without a factor.

    Returns:
        Groups with "params", "lr" and "pace", the factor; the group of factor 1 comes first.

    Raises:
        InputError: If `lr` is not positive and finite.

    Example:
        >>> import torch
        >>> from overtone import nn
        >>> encoding = nn.encodings.HashGrid(2, finest=64, log2_rows=8)
        >>> field = nn.Field(encoding, nn.MLP(encoding.out_features, 1, width=8, depth=1))
        >>> optimizer = torch.optim.Adam(nn.parameter_groups(field, lr=1e-3))
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.001, 0.01]
    """
    base_lr = positive(lr, "lr")
    groups: dict[float, list[nn.Parameter]] = {1.0: []}
    visited: set[int] = set()
    for part in module.modules():
        multipliers = part.lr_multipliers if isinstance(part, HasRateMultipliers) else {}
        for name, parameter in part.named_parameters(recurse=False):
            # Shared parameters appear in several modules, but an optimizer takes each only once.
            if parameter.requires_grad and id(parameter) not in visited:
                visited.add(id(parameter))
                groups.setdefault(multipliers.get(name, 1.0), []).append(parameter)
    # "pace" is the key by which checkpoints store the factor.
    return [
        {"params": ps, "lr": base_lr * multiplier, "pace": multiplier}
        for multiplier, ps in groups.items()
        if ps
    ]
