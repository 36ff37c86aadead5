"""
Can the loss make high frequencies come earlier?
================================================

A loss with one weight per frequency changes the order in which frequencies are learned. The same network learns two
tones with four losses.
"""

import matplotlib.pyplot as plt
import torch

from overtone import nn, spectra

x = torch.arange(64)[:, None] / 64
target = torch.cos(2 * torch.pi * x) + torch.cos(2 * torch.pi * 4 * x)
basis = spectra.GridTransform((64,), periodic=True, bands=[0, 0.5, 2.5, 6.5])
losses = {
    "mean square": torch.nn.functional.mse_loss,
    "focal frequency": nn.losses.FocalFrequency(basis),
    "Sobolev, s = 1": nn.losses.Sobolev(basis, 1.0),
    "Sobolev, s = -1": nn.losses.Sobolev(basis, -1.0),
}


def errors(loss):
    """Return the (step, tone) relative errors while a network is trained with a loss."""
    network = nn.MLP(
        1,
        1,
        width=64,
        depth=2,
        activation=nn.activations.Activation.TANH,
        seed=0,
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    rows = []
    for _ in range(401):
        prediction = network(2 * x - 1)
        residual = basis.power(basis.coefficients(prediction.detach() - target))
        rows.append(
            (residual[1:3, 0] / 0.5).sqrt()
        )  # both tones have the power 1/2
        optimizer.zero_grad()
        loss(prediction, target).backward()
        optimizer.step()
    return torch.stack(rows)


# %%
# The focal loss learns the tone of 4 cycles earlier than the mean square and ends with the smallest error. The
# Sobolev loss with s = 1 also begins earlier, but falls behind the mean square and leaves a larger error of the low
# tone. With s = -1 the tone of 4 cycles is hardly learned at all. More weight on high frequencies is not enough.
fig, axes = plt.subplots(
    1, 2, figsize=(9.5, 3.8), layout="constrained", sharey=True
)
for name, loss in losses.items():
    for ax, column in zip(axes, errors(loss).T, strict=True):
        ax.plot(column, label=name)
for ax, title in zip(
    axes, ("tone of 1 cycle", "tone of 4 cycles"), strict=True
):
    ax.set(title=title, xlabel="Step", ylim=(0, 1.3))
axes[0].set_ylabel("Relative error")
axes[1].legend()
plt.show()
