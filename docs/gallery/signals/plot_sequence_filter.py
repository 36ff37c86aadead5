"""
Which filter has my recurrent network learned?
==============================================

A GRU is trained to imitate a band-pass filter. Its gain at each frequency is measured by a small harmonic around a
zero input.
"""

import copy

import matplotlib.pyplot as plt
import scipy.signal
import torch
from torch import nn

from overtone.spectra.sequence import response

rate = 100.0  # samples per second
b, a = scipy.signal.butter(1, [4, 12], "bandpass", fs=rate)


class Student(nn.Module):
    """A GRU of 16 units with a linear output."""

    def __init__(self):
        super().__init__()
        self.body, self.out = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, x):
        """Map (sequences, steps, 1) to the same shape."""
        return self.out(self.body(x)[0])


torch.manual_seed(0)
noise = torch.randn(16, 64, 1)
filtered = torch.from_numpy(
    scipy.signal.lfilter(b, a, noise.numpy(), axis=1)
).float()
student, snapshots = Student(), {}
optimizer = torch.optim.Adam(student.parameters(), 1e-2)
for step in range(121):
    if step in (30, 120):
        snapshots[step] = copy.deepcopy(student)
    optimizer.zero_grad()
    (student(noise) - filtered).square().mean().backward()
    optimizer.step()

# %%
# After 30 steps the network has a pass band, but its peak is too high. After 120 steps its gain follows the filter,
# except at the highest frequencies, where the filter passes almost nothing.
frequencies = torch.logspace(0, 1.69, 20)
exact = abs(scipy.signal.freqz(b, a, worN=frequencies.numpy(), fs=rate)[1])
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.loglog(frequencies, exact, color="0.3", label="the filter")
for step, network in snapshots.items():
    gain = response(
        network, torch.zeros(100, 1), frequencies, rate=rate, skip=60
    ).gain[:, 0, 0]
    ax.loglog(frequencies, gain, "--", label=f"GRU after {step} steps")
ax.set(xlabel="Frequency (Hz)", ylabel="Gain")
ax.legend()
plt.show()
