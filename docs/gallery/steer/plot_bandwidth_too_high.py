"""
What happens if the bandwidth is far too high?
==============================================

The same network is trained three times on half of the pixels; only the bandwidth of its Fourier features differs.
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
signal = signal.with_held_out(
    ot.signals.masks.random(signal.geometry, 0.5, seed=0)
)

# %%
# Too low a bandwidth blurs the picture. Far too high a bandwidth reproduces the training pixels and fails
# between them: the picture is covered by grain, because neighbouring pixels no longer inform each other. The
# error on the training pixels alone would not show this.
fig, axes = plt.subplots(1, 3, figsize=(9.5, 3.6), layout="constrained")
for ax, bandwidth in zip(axes, (0.5, 3.0, 30.0), strict=True):
    run = ot.fit(
        signal,
        steps=150,
        stop=False,
        width=64,
        depth=2,
        features=128,
        bandwidth=bandwidth,
        held_out=0,
        seed=0,
    )
    shown = np.asarray(run.predict()).reshape(picture.shape)
    train, missing = (
        np.sqrt(np.mean((shown - picture).reshape(-1)[index] ** 2))
        for index in (signal.train_index, signal.held_out_index)
    )
    ax.imshow(shown, cmap="gray", vmin=0, vmax=1)
    ax.set_axis_off()
    ax.set_title(
        f"bandwidth {bandwidth:g}\nerror: trained {train:.3f}, held out {missing:.3f}"
    )
plt.show()
