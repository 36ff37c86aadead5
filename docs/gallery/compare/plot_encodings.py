"""
What difference does the encoding make?
=======================================

Five networks learn the same picture with the same number of steps: without an encoding, with octaves, with random
Fourier features, with a hash grid, and with sines as activation.
"""

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
import skimage.transform

import overtone as ot

picture = skimage.transform.resize(
    skimage.data.camera(), (48, 48), anti_aliasing=True
)
signal = ot.signals.image(picture)
networks = {
    "no encoding": {"encoding": "none"},
    "octaves": {"encoding": "positional", "bandwidth": 4.0},
    "Fourier features": {
        "encoding": "gaussian",
        "bandwidth": 4.0,
        "features": 64,
    },
    "hash grid": {"encoding": "hash-grid", "bandwidth": 4.0},
    "sines": {"activation": "sine", "bandwidth": 4.0},
}

# %%
# Without an encoding only the coarsest shapes are learned. The other four have about the same bandwidth and learn
# much more of the picture in the same steps.
fig, axes = plt.subplots(1, 5, figsize=(11, 2.8), layout="constrained")
curves, curve = plt.subplots(figsize=(7, 4), layout="constrained")
for ax, (name, options) in zip(axes, networks.items(), strict=True):
    run = ot.fit(
        signal,
        steps=60,
        width=48,
        depth=2,
        lr=3e-3,
        stop=False,
        held_out=0,
        seed=0,
        **options,
    )
    ax.imshow(
        np.asarray(run.predict()).reshape(48, 48), cmap="gray", vmin=0, vmax=1
    )
    ax.set_title(name)
    ax.set_axis_off()
    error = ot.records.metrics.relative_error(
        ot.records.metrics.combine_channels(run.record)
    )
    curve.semilogx(
        run.record.band[1:], error[-1, 1:], "o-", markersize=3, label=name
    )
curve.set(
    xlabel="Frequency (cycles per picture height)",
    ylabel="Relative error at the last step",
    ylim=(0, 1.3),
)
curve.legend()
