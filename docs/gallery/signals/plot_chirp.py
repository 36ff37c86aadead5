"""
Can a sine network learn a sound?
=================================

A sine network with omega = 30, the usual value for pictures, has a much too low bandwidth for sound: its first
layer needs the bandwidth of the recording. Both networks below learn a chirp that rises from 5 to 200 cycles.
"""

import matplotlib.pyplot as plt
import numpy as np

import overtone as ot

chirp = ot.signals.synthetic.chirp(800, low=5, high=200)
run = {}
for bandwidth in (4.0, 200.0):  # omega = 30 has 4 cycles on a line
    run[bandwidth] = ot.fit(
        chirp,
        activation="sine",
        bandwidth=bandwidth,
        width=64,
        depth=2,
        steps=100,
        seed=0,
        held_out=0,
    )

# %%
# After the same number of steps the network of low bandwidth follows the slow beginning of the chirp and no more.
fig, axes = plt.subplots(
    3, 1, figsize=(8, 5), layout="constrained", sharex=True, sharey=True
)
time, values = chirp.coords[:, 0].numpy(), chirp.values[:, 0].numpy()
for ax, (bandwidth, one) in zip(axes, run.items(), strict=False):
    ax.plot(time, np.asarray(one.predict())[:, 0], linewidth=0.8)
    ax.set_title(f"first layer with a bandwidth of {bandwidth:g} cycles")
axes[2].plot(time, values, color="0.3", linewidth=0.8)
axes[2].set(title="the chirp", xlabel="Coordinate (arrays)")
for ax in axes:
    ax.set_ylabel("Value")
plt.show()
