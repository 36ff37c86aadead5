"""
What would an infinitely wide network make of missing pixels?
=============================================================

Half of the pixels of a picture are missing. The fit of the infinitely wide network with the frequencies of an
encoding is computed in closed form, without training.
"""

import matplotlib.pyplot as plt
import skimage.data
import skimage.transform

from overtone import signals
from overtone.nn.encodings import Gaussian
from overtone.signals import masks
from overtone.theory import kernel_regression
from overtone.theory.kernel_regression import NTKModel

picture = skimage.transform.resize(
    skimage.data.camera(), (64, 64), anti_aliasing=True
)
signal = signals.array(picture)
known = masks.random(signal.geometry, 0.5, seed=1)
held_out = known & masks.random(
    signal.geometry, 0.1, seed=2
)  # decides when to stop
signal = signal.with_split(known & ~held_out, held_out)

model = NTKModel.from_encoding(
    Gaussian(2, 128, sigma=2.0, seed=0), signal.geometry, depth=3
)
result = kernel_regression.fit(signal, model)

# %%
# The missing pixels are filled with values that fit their surroundings. Thin structures of which most pixels
# are missing, such as the legs of the tripod, are broken up.
fig, axes = plt.subplots(1, 3, figsize=(9.5, 3.6), layout="constrained")
gaps = picture.copy()
gaps.flat[~known.numpy()] = float("nan")
shown = {
    "known pixels": gaps,
    "fit": result.prediction[..., 0].numpy(),
    "original": picture,
}
for ax, (name, values) in zip(axes, shown.items(), strict=True):
    ax.imshow(values, cmap="gray", vmin=0, vmax=1)
    ax.set_title(name)
    ax.set_axis_off()
missing = (result.prediction.reshape(-1, 1) - signal.values)[~known]
print(
    f"root mean square error on the missing pixels: {float(missing.square().mean().sqrt()):.3f} of the full range"
)
plt.show()
