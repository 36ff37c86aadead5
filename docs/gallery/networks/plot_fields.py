"""
At which scales does a denoiser blur, and since when?
=====================================================

A convolutional network removes white noise from random fields. The probe compares its predictions with the clean
fields band by band: the error ratio says what is learned, the power ratio what is blurred.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

import overtone as ot
from overtone.probes import views

torch.manual_seed(0)
frequency = torch.fft.fftfreq(32)
square = frequency[:, None] ** 2 + frequency**2
white = torch.fft.fft2(torch.randn(96, 1, 32, 32))
clean = torch.fft.ifft2(white / (square + 1e-3) ** 0.85).real
clean /= clean.std()
noisy = clean + 0.7 * torch.randn(clean.shape)


def convolution(inside, out):
    """Return a convolution with periodic borders."""
    return nn.Conv2d(inside, out, 5, padding=2, padding_mode="circular")


network = nn.Sequential(
    convolution(1, 12),
    nn.ReLU(),
    convolution(12, 12),
    nn.ReLU(),
    convolution(12, 1),
)
optimizer = torch.optim.Adam(network.parameters(), 3e-3)
with ot.Probe(
    views.fields(noisy[64:], clean[64:], periodic=True), network
) as probe:
    for step in range(301):
        batch = torch.randint(64, (8,))
        loss = (network(noisy[batch]) - clean[batch]).square().mean()
        probe(step, loss.detach(), force=step == 300)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %%
# Long waves are right after a few dozen steps. Where the noise is stronger than the field, the best prediction by mean
# square error is a damped one: the power ratio falls to the finest scales, and more training does not raise it.
record = probe.record.isel(channel=0)
target, residual = record.target_power, record.residual_power
power = residual - target + 2 * record.cross_power
wavelength = 1 / np.sqrt(record.band_low * record.band_high)[1:]

fig, axes = plt.subplots(
    1, 2, figsize=(9.5, 3.8), layout="constrained", sharex=True
)
for step in (3, 14, 300):
    row = int(np.abs(record.step.values - step).argmin())
    label = f"step {int(record.step[row])}"
    axes[0].plot(wavelength, (residual / target)[row, 1:], label=label)
    axes[1].plot(wavelength, (power / target)[row, 1:], label=label)
axes[0].axhline(0.5, color="grey", linestyle=":")
axes[0].set(title="Error power / target power", ylim=(0, 1.2))
axes[1].set(title="Prediction power / target power", ylim=(0, 1.2))
for ax in axes:
    ax.set(xscale="log", xlabel="Wavelength (samples)")
    ax.set_xticks([2, 4, 8, 16, 32], labels=["2", "4", "8", "16", "32"])
    ax.minorticks_off()
axes[0].invert_xaxis()
axes[0].legend()
plt.show()
