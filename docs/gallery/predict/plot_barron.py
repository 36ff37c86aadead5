"""
How many units does my signal need?
===================================

The Barron constant measures how much a signal oscillates. It bounds the number of units with which a network of one
hidden layer *can* reach an error. It does not say that training finds this network.
"""

import matplotlib.pyplot as plt
import torch

from overtone.theory import barron

x = torch.linspace(0, 1, 256, dtype=torch.float64)
signals = {
    "a slow wave": torch.sin(2 * torch.pi * x),
    "a fast wave": torch.sin(2 * torch.pi * 8 * x),
    "a bump": torch.exp(-(((x - 0.5) / 0.05) ** 2)),
}
errors = torch.logspace(-2, 0, 9)

# %%
# The number of units grows as the square of the constant and as the inverse square of the error. The bound is not
# tight: use it to compare signals, not to choose a width.
fig, (left, right) = plt.subplots(
    1, 2, figsize=(9.5, 3.8), layout="constrained"
)
for name, values in signals.items():
    constant = barron.constant_on_grid(values, spacing=1 / 255)
    left.plot(x, values)
    right.loglog(
        errors,
        [constant.width(error=float(e)) for e in errors],
        "o-",
        label=name,
    )
    print(
        f"{name}: the constant lies between {constant.lower:.1f} and {constant.upper:.1f} radians per unit"
    )
left.set(xlabel="Coordinate (unit)", ylabel="Value")
right.set(xlabel="Root mean square error (value)", ylabel="Units that suffice")
right.legend()
plt.show()
