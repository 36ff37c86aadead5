"""
At which scales does a denoiser blur, and since when?
=====================================================

A convolutional network removes white noise from random fields. A probe compares its predictions with the clean fields
band by band: the relative error says what is learned, the gain what is blurred.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

import overtone as ot
from overtone.probes import views

torch.manual_seed(0)
f = torch.fft.fftfreq(32)
white = torch.fft.fft2(torch.randn(96, 1, 32, 32))
clean = torch.fft.ifft2(white / (f[:, None] ** 2 + f**2 + 1e-3) ** 0.85).real
clean /= clean.std()
noisy = clean + 0.7 * torch.randn(clean.shape)
layers = [
    nn.Conv2d(*sizes, 5, padding=2, padding_mode="circular")
    for sizes in ((1, 12), (12, 12), (12, 1))
]
network = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
optimizer = torch.optim.Adam(network.parameters(), 3e-3)
view = views.fields(noisy[64:], clean[64:], periodic=True)
with ot.Probe(view, network) as probe:
    for step in range(301):
        batch = torch.randint(64, (8,))
        loss = (network(noisy[batch]) - clean[batch]).square().mean()
        probe(step, loss.detach(), force=step == 300)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %%
# Long waves are right after a few dozen steps. Where the noise is stronger than the field, the best prediction by mean
# square error is a damped one: after 300 steps the gain still falls towards the finest scales.
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
    error = np.sqrt(residual / target)[row, 1:]
    axes[0].plot(wavelength, error, label=label)
    axes[1].plot(wavelength, np.sqrt(power / target)[row, 1:], label=label)
axes[0].set(title="What is learned", ylabel="Relative error", ylim=(0, 1.2))
axes[1].set(title="What is blurred", ylabel="Gain", ylim=(0, 1.2))
for ax in axes:
    ax.set(xscale="log", xlabel="Wavelength (samples)")
    ax.set_xticks([2, 4, 8, 16, 32], labels=["2", "4", "8", "16", "32"])
    ax.minorticks_off()
axes[0].invert_xaxis()
axes[0].legend()
plt.show()
